import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureDashboard } from './build.ts';

test('what is built is built once, and loads nothing from elsewhere', { timeout: 60_000 }, async () => {
  const folder = await ensureDashboard();
  const page = join(folder, 'index.html');
  const builtAt = statSync(page).mtimeMs;
  expect(await ensureDashboard()).toBe(folder);
  expect(statSync(page).mtimeMs).toBe(builtAt);

  const html = readFileSync(page, 'utf8');
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
  expect(links.length).toBeGreaterThanOrEqual(3);
  for (const link of links) {
    expect(link).toMatch(/^\.\//);
    expect(existsSync(join(folder, link)), link).toBe(true);
  }
  // The policy that it is served under allows no script or style in the page itself.
  expect(html).not.toMatch(/<style|<script(?![^>]* src=)/);
  const bytes = readdirSync(join(folder, 'assets'))
    .map((name) => statSync(join(folder, 'assets', name)).size)
    .reduce((a, b) => a + b, 0);
  expect(bytes).toBeLessThan(400_000);
});
