// Counts starts that had no clean end. A disk with a bad sector can kill the process outright: LevelDB maps its tables into
// memory, and a page that cannot be read raises SIGBUS. The next start would read the same page. So after several such
// starts in a row, all tables are read through first, in a way that survives the error.
import { rm } from 'node:fs/promises';
import type { Clock } from '../../../kernel/clock.ts';
import { readSmallFile, replaceFile } from '../../../kernel/small-file.ts';

const suspiciousStarts = 3;
const withinMs = 15 * 60_000;
const maxKept = 10;
const maxBytes = 64 * 1024;

/** Notes a start. True when the store should be looked through before it is used. */
export async function noteStart(path: string, clock: Clock): Promise<boolean> {
  const now = clock.now();
  const before = (await readStarts(path)).filter((at) => at <= now && now - at < withinMs);
  await replaceFile(path, JSON.stringify([...before, now].slice(-maxKept)), { sync: false });
  return before.length >= suspiciousStarts;
}

/** A clean end. */
export async function noteEnd(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => {});
}

async function readStarts(path: string): Promise<readonly number[]> {
  try {
    const text = await readSmallFile(path, maxBytes);
    const starts: unknown = JSON.parse(text?.toString('utf8') ?? '');
    return Array.isArray(starts) ? starts.filter((at) => typeof at === 'number') : [];
  } catch {
    return [];
  }
}
