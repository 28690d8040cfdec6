// `npm run rings`: a fleet of gateways gets configurations in rings, good and bad ones, and the detector shows it.
import { Command } from 'commander';
import { ensureDashboard } from '../../cloud-lite/dashboard/build.ts';
import { openBrowser } from '../../cloud-lite/dashboard/testing/browser.ts';
import { wholeNumber } from '../plant/process-frame.ts';
import { RingsLab } from './lab.ts';
import { playScenarios } from './scenarios.ts';

const values = new Command('npm run rings --')
  .description(
    'A fleet of gateways gets configurations in rings, good and bad ones, and the detector shows it.',
  )
  .option(
    '--gateways <n>',
    'of all rings: a fiftieth in the first, a fifth in the second, the rest in the third',
    wholeNumber,
    2000,
  )
  .option('--pictures <folder>', "the dashboard's page after each roll-out")
  .option('--json', 'one line of JSON', false)
  .parse()
  .opts<{ gateways: number; pictures?: string; json: boolean }>();
const count = values.gateways;
if (count < 3 || count > 10_000) {
  console.error('--gateways must be 3 to 10000');
  process.exit(2);
}
const first = Math.max(1, Math.round(count / 50));
const second = Math.max(1, Math.round(count / 5));
const say = (text: string) => values.json || console.log(text);
const dashboardFolder = values.pictures === undefined ? undefined : await ensureDashboard();
const lab = new RingsLab({
  sizes: [first, second, count - first - second],
  revertAfterMs: 5000,
  ...(dashboardFolder !== undefined && { dashboardFolder }),
  say,
});
try {
  const startedAt = performance.now();
  const former = await lab.start();
  say(`all run ${former} after ${Math.round((performance.now() - startedAt) / 1000)} s`);
  const findings = await playScenarios(lab, former, photograph);
  console.log(values.json ? JSON.stringify({ gateways: count, ...findings }) : findings);
  process.exitCode = findings.wrong.length === 0 ? 0 : 1;
} finally {
  await lab.stop();
}
process.exit();

async function photograph(name: string): Promise<void> {
  if (values.pictures === undefined) return;
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    await page.goto(`${lab.detectorUrl}/#/gateways?by=ring`);
    await page.locator('table.configurations tbody tr').first().waitFor();
    await page.screenshot({ path: `${values.pictures}/rings-${name}.png` });
  } finally {
    await browser.close();
  }
}
