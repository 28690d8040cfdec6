// The page on the gateway, in a real browser before the real module: what it shows, that `holdfast status` and the log say the
// same, and who may look.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Browser, openBrowser, type Page } from '../cloud-lite/dashboard/testing/browser.ts';
import { type Hub, startHub } from '../lab/hub/hub.ts';
import { type Plant, startPlant } from '../lab/plant/plant.ts';
import { plantSources } from '../lab/plant/site.ts';
import { eventually, type ModuleProcess, startModule } from './support/module-process.ts';
import { missingPrograms } from './support/programs.ts';
import { root } from './support/source-tree.ts';

const run = promisify(execFile);
const token = 'a-token-for-those-elsewhere';

describe.skipIf(missingPrograms('chromium'))('the status page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-page-'));
  const faults: string[] = [];
  const asked = new Set<string>();
  let plant: Plant;
  let hub: Hub;
  let module: ModuleProcess;
  let browser: Browser;
  let page: Page;
  let connection: string;

  beforeAll(async () => {
    // Polled far more often than it samples: on a busy machine no sample goes by, so that nothing is told but what is made to happen.
    plant = await startPlant({ seed: 5, scanMs: 2000, historyS: 60 });
    hub = await startHub();
    const [source, , meter] = plantSources(plant.info, { pollMs: 200 });
    const config = join(folder, 'holdfast.yaml');
    // One is stamped by its equipment, one by the gateway.
    const sources = [
      { ...source, name: 'press', batchId: 'press' },
      { ...meter, name: 'meter', batchId: 'meter' },
    ];
    writeFileSync(
      config,
      stringify({ dataFolder: join(folder, 'data'), sources, statusPort: 0, statusHost: '0.0.0.0' }),
    );
    connection = hub.deviceConnectionString('gw1', 'holdfast');
    module = await startModule({
      config,
      env: {
        NODE_EXTRA_CA_CERTS: hub.caFile,
        HOLDFAST_CONNECTION_STRING: connection,
        HOLDFAST_STATUS_TOKEN: token,
        HOLDFAST_LOG_FORMAT: 'iotedge',
      },
    });
    browser = await openBrowser();
    const context = await browser.newContext({
      viewport: { width: 1100, height: 900 },
      colorScheme: 'light',
    });
    context.setDefaultTimeout(30_000);
    page = await context.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
        faults.push(message.text());
    });
    page.on('request', (request) => asked.add(new URL(request.url()).pathname));
  });

  afterAll(async () => {
    await browser?.close();
    await module?.end('SIGTERM');
    await hub?.stop().catch(() => {});
    await plant?.stop().catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  });

  const url = () => `http://127.0.0.1:${module.statusPort}`;
  const holdfast = (...args: string[]) =>
    run(process.execPath, ['runtime/main.ts', ...args, '--url', url()], { cwd: root, encoding: 'buffer' });
  const keep = (name: string) =>
    page.screenshot({ path: join(root, 'artefacts', `${name}.png`), fullPage: true });

  it('shows sources with their last values while all is well, with nothing from elsewhere', async () => {
    await page.goto(url());
    await page.getByText('All is well').waitFor();
    expect((await holdfast('status')).stdout.toString()).toContain('All is well');
    await page.locator('summary', { hasText: 'press' }).click();
    await page.locator('td.good', { hasText: 'good' }).first().waitFor();
    expect([...asked].sort()).toEqual(['/', '/overview']);
    // Polled values have the gateway's time, in the words of the log: not that since its machine started.
    const shown = (await (await fetch(`${url()}/overview`)).json()) as {
      status: { time: string };
      sources: { values: { at: string }[] }[];
    };
    const at = shown.sources.flatMap(({ values }) => values.map((value) => value.at));
    expect(new Set(at.map((time) => time.slice(0, 4)))).toEqual(new Set([shown.status.time.slice(0, 4)]));
    await page.getByText(/^as of \d\d:\d\d:\d\d UTC$/).waitFor();
    await keep('status-page');
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await keep('status-page-phone');
    await page.setViewportSize({ width: 1100, height: 900 });
    expect(faults).toEqual([]);
  });

  it('tells an outage in the words of `holdfast status` and of the log, and its end', async () => {
    await hub.stop();
    const trouble = page.locator('li.bad', { hasText: 'the hub is not reached' });
    await trouble.waitFor();
    await eventually(() => /^<4> .* \[WRN\] - the link is down.*code=link-down/m.test(module.log()));
    const shown = await eventually(async (): Promise<string | undefined> => {
      const text = await trouble.textContent();
      return /no reason known|not connected yet/.test(text!) ? undefined : text!;
    });
    const { stdout } = await holdfast('status');
    // Duration and messages go on; the cause is the same.
    const cause = (text: string) => /not reached for [^:]+: (.+?); \d+ messages wait/.exec(text)?.[1];
    expect(cause(stdout.toString())).toBe(cause(shown!));
    expect(cause(shown!)).toBeTruthy();
    await plant.stop();
    await page.locator('li.bad', { hasText: 'press is not connected' }).waitFor();
    await keep('status-page-outage');
    expect(faults).toEqual([]);
  });

  it('says when nothing comes any more, also where the connection says nothing', async () => {
    module.child.kill('SIGSTOP');
    await page.getByText(/^no answer for \d+ s, all below is as of/).waitFor();
    expect(await page.locator('#all').getAttribute('class')).toBe('old');
    module.child.kill('SIGCONT');
    await page.getByText(/^as of /).waitFor();
    expect(await page.locator('#all').getAttribute('class')).toBe('');
  });

  it('is for the gateway alone, and for who has the token', async () => {
    const elsewhere = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === 'IPv4' && !each.internal)?.address;
    const of = elsewhere ?? '127.0.0.1';
    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(`http://${of}:${module.statusPort}${path}`, { headers });
    expect((await get('/metrics')).status).toBe(200);
    expect((await get('/status', { authorization: `Bearer ${token}` })).status).toBe(200);
    if (elsewhere === undefined) return;
    for (const path of ['/status', '/overview', '/bundle']) expect((await get(path)).status).toBe(401);
    await page.goto(`http://${of}:${module.statusPort}/`);
    for (const wrong of ['токен', 'a-token-of-another-gateway']) {
      await page.getByLabel(/Token/).fill(wrong);
      await page.getByRole('button', { name: 'Show' }).click();
      await page.getByText(/ISO-8859-1|not that of this gateway/).waitFor();
    }
    await page.getByText('not that of this gateway').waitFor();
    await page.getByLabel(/Token/).fill(token);
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText('the hub is not reached').waitFor();
  });

  it('has a bundle beside it, whole and without secrets', async () => {
    const { stdout } = await holdfast('bundle');
    const text = gunzipSync(stdout).toString('latin1');
    for (const name of [
      'status.json',
      'config.json',
      'metrics.txt',
      'log.jsonl',
      'spool.json',
      'network.json',
    ])
      expect(text).toContain(`holdfast/${name}`);
    expect(text).toContain('link-down');
    const key = /SharedAccessKey=([^;]+)/.exec(connection)![1]!;
    for (const secret of [key, encodeURIComponent(key), token]) expect(text).not.toContain(secret);
    expect(readFileSync(join(folder, 'holdfast.yaml'), 'utf8')).toContain('press');
  });
});
