// Builds the dashboard's files when their sources changed. The folder is named by what went in, so that a
// build is either there and whole, or not there.
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../kernel/clock.ts';

const page = fileURLToPath(new URL('page/', import.meta.url));
const dist = fileURLToPath(new URL('dist/', import.meta.url));
const lock = fileURLToPath(new URL('../../package-lock.json', import.meta.url));
/** A build that was cut off leaves its folder behind; one this old is nobody's. */
const strayMs = 3_600_000;

/** The folder to serve. Builds only what is not built: milliseconds otherwise. */
export async function ensureDashboard(): Promise<string> {
  const folder = join(dist, hashSources());
  if (!existsSync(folder)) {
    await buildInto(folder);
    await removeOthers(folder);
  }
  return folder;
}

async function buildInto(folder: string): Promise<void> {
  const making = `${folder}.making-${process.pid}`;
  await mkdir(dist, { recursive: true });
  await buildDashboard(making);
  try {
    await rename(making, folder);
  } catch (error) {
    // Another process was faster; its files are the same.
    if (!existsSync(folder)) throw error;
    await rm(making, { recursive: true, force: true });
  }
}

/** Builds into a folder of the caller's choice: what an image does. */
export async function buildDashboard(outDir: string): Promise<void> {
  // Only those who build need it.
  const { build } = await import('vite');
  await build({
    configFile: false,
    root: page,
    base: './',
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    // No data: addresses: the page's policy forbids scripts and fonts of that kind.
    build: { outDir, emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, modulePreload: false },
  });
}

function hashSources(): string {
  const hash = createHash('sha256');
  const types = ['ts', 'tsx', 'css', 'html', 'svg'].join(',');
  const files = globSync(`**/*.{${types}}`, { cwd: page }).filter((file) => !file.endsWith('.test.ts'));
  for (const file of files.sort()) hash.update(`${file}\n`).update(readFileSync(join(page, file)));
  // The libraries, and this file: how it is built. In an image there is no lockfile, nor a need for one.
  for (const file of [lock, fileURLToPath(import.meta.url)])
    if (existsSync(file)) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

async function removeOthers(kept: string): Promise<void> {
  for (const name of await readdir(dist)) {
    const path = join(dist, name);
    if (path === kept) continue;
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
    // Another demo may still serve what it began with.
    if (systemClock.now() - mtimeMs > strayMs) await rm(path, { recursive: true, force: true });
  }
}
