// Views the detector's dashboard in a real headless browser: reads the page's text, and saves pictures of it. Where there
// is no browser, the tour goes on without.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from '../../cloud-lite/dashboard/testing/browser.ts';
import type { FleetLook } from './dashboard-look.ts';
import { findProgram } from './find-program.ts';

export interface DashboardEye {
  /** Where the pictures are. */
  readonly folder: string;
  /** Names of the pictures kept so far. */
  readonly pictures: readonly string[];
  /** The fleet as the page shows it now. Rejects while the page does not come up. */
  look(): Promise<FleetLook>;
  /** Keeps the fleet and one stream's page, in light and in dark, as `MOMENT-fleet.png`, `MOMENT-fleet-dark.png`, ... */
  keep(moment: string, stream: string): Promise<void>;
  /** Points at the first void of `stream`. @returns what the page then says of it. */
  reasonOfVoid(stream: string): Promise<string>;
  /** Keeps the stream's page as it stands, with what is pointed at. */
  keepStream(moment: string, stream: string): Promise<void>;
  close(): Promise<void>;
}

const size = { width: 1280, height: 800 };
const limitMs = 60_000;

/** The path of a Chromium, if this machine has one. */
export const findBrowser = (): string | undefined =>
  findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');

/** @param folder emptied first. @throws Error when the browser does not start. */
export async function openEye(url: string, folder: string, browserPath: string): Promise<DashboardEye> {
  const { openBrowser } = await import('../../cloud-lite/dashboard/testing/browser.ts');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const browser = await openBrowser(browserPath);
  try {
    const context = await browser.newContext({ viewport: size, colorScheme: 'light' });
    context.setDefaultTimeout(limitMs);
    const [fleet, stream] = [await context.newPage(), await context.newPage()];
    await fleet.goto(url);
    return createEye(browser, { url, folder, fleet, stream });
  } catch (error) {
    await browser.close();
    throw error;
  }
}

interface Sight {
  readonly url: string;
  readonly folder: string;
  /** Two pages, so that neither has to leave what it shows. */
  readonly fleet: Page;
  readonly stream: Page;
}

function createEye(browser: Browser, { url, folder, fleet, stream }: Sight): DashboardEye {
  const pictures: string[] = [];
  let shown: string | undefined;
  /** All at once: what they show passes. */
  const keep = async (names: ReadonlyMap<Page, string>) => {
    for (const scheme of ['light', 'dark'] as const) {
      const one = async (page: Page, name: string) => {
        await page.emulateMedia({ colorScheme: scheme });
        const file = `${name}${scheme === 'dark' ? '-dark' : ''}.png`;
        await page.screenshot({ path: join(folder, file), fullPage: true });
        pictures.push(file);
      };
      await Promise.all([...names].map(([page, name]) => one(page, name)));
    }
    for (const page of names.keys()) await page.emulateMedia({ colorScheme: 'light' });
  };
  const openStream = async (name: string) => {
    if (shown === name) return;
    const link = fleet.getByRole('link', { name, exact: true });
    await stream.goto(new URL((await link.getAttribute('href')) ?? '', url).href);
    await stream.getByRole('heading', { name, exact: true }).waitFor();
    await stream.getByText(/^In view:/).waitFor();
    shown = name;
  };
  return {
    folder,
    pictures,
    async look() {
      await fleet.locator('table.fleet tbody tr').first().waitFor();
      return fleet.evaluate<FleetLook>(readRows);
    },
    async keep(moment, name) {
      await openStream(name);
      await keep(
        new Map([
          [fleet, `${moment}-fleet`],
          [stream, `${moment}-${name}`],
        ]),
      );
    },
    async reasonOfVoid(name) {
      await openStream(name);
      const box = await stream.locator('.timeline path.range.void').first().boundingBox();
      if (box === null) throw new Error(`the page of ${name} draws no void`);
      await stream.mouse.move(box.x + 1, box.y + box.height / 2);
      return stream.locator('.readout .finding').innerText();
    },
    keepStream: (moment, name) => keep(new Map([[stream, `${moment}-${name}`]])),
    close: () => browser.close(),
  };
}

// Runs in the page.
const readRows = `[...document.querySelectorAll('table.fleet tbody tr')].map((row) => {
  const text = (selector) => row.querySelector(selector)?.textContent.trim() ?? '';
  return {
    stream: text('.name a'),
    state: text('.badge'),
    complete: text('.complete .value'),
    lack: text('.complete .note'),
    past: row.querySelector('svg.strip')?.getAttribute('aria-label') ?? '',
    gaps: text('.gaps .value'),
  };
})`;
