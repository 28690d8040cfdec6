// A real browser for tests. The only importer of playwright-core.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

export type { Browser, Page } from 'playwright-core';

const artefacts = fileURLToPath(new URL('../../../artefacts/dashboard/', import.meta.url));

export function openBrowser(executablePath = '/usr/bin/chromium'): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Kept for people to look at. Of the whole page, or of what the window shows: what lies over it is in place only there. */
export async function keepPicture(page: Page, name: string, part: 'page' | 'window' = 'page'): Promise<void> {
  mkdirSync(artefacts, { recursive: true });
  await page.screenshot({ path: `${artefacts}${name}.png`, fullPage: part === 'page' });
}
