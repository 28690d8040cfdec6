// Real folders for tests: made, damaged, and compared down to the last byte and time.
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import type { Reading } from '../../../wire/reading.ts';
import { createWindows } from '../../windows/windows.ts';
import { openSpool, type Spool } from '../spool.ts';

const made: string[] = [];

export function makeFolder(): string {
  const folder = quickFolder('inspect');
  made.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Everything that a look from outside could tell about a folder. Not access times: reading moves those. */
export function fingerprint(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  const note = (path: string) => {
    const { mtimeNs, ctimeNs, size, ino, mode } = lstatSync(path, { bigint: true });
    found[path] = [mtimeNs, ctimeNs, size, ino, mode].join(' ');
  };
  note(folder);
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    note(path);
    // Of a giant, which is sparse, size and times have to do.
    if (entry.isFile() && lstatSync(path).size < 2 ** 30)
      found[path] += ` ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
  }
  return found;
}

/** Changes a file in place. */
export function damageFile(path: string, change: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path);
  writeFileSync(path, change(bytes) ?? bytes);
}

export function filesOf(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
}

export function openRealSpool(dataFolder: string): Promise<Spool> {
  return openSpool({
    folder: join(dataFolder, 'spool'),
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    metrics: noMetrics,
  });
}

export const pressStart = Date.UTC(2026, 10, 21, 22, 0, 0);

/**
 * What a module leaves after a run, through real windows: stream `press`, by time, `windows` of them of ten
 * readings each, one a second, with a break of 7 s after the third; stream `log`, by record number.
 */
export async function makeRun(dataFolder: string, windows: number): Promise<void> {
  const spool = await openRealSpool(dataFolder);
  const writer = createWindows({
    store: spool,
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    limits: { maxReadings: 10, commitIntervalMs: 1 },
  });
  const press = writer.openStream({ batchId: 'press', index: 'time', pace: 'own' });
  for (let n = 0; n < windows; n++) {
    const start = pressStart + n * 10_000 + (n < 3 ? 0 : 7000);
    if (n === 0 || n === 3) press.emit({ kind: 'resumed', at: start });
    press.emit({ kind: 'readings', readings: pressReadings(start) });
    press.emit({ kind: 'observed', until: start + 10_000 });
    if (n === 2) press.emit({ kind: 'broken', at: start + 10_000, reason: 'no answer' });
    await press.durable();
  }
  const log = writer.openStream({ batchId: 'log', index: 'sequence' });
  log.emit({ kind: 'resumed', at: 100 });
  log.emit({
    kind: 'readings',
    readings: [{ index: 100, tag: 'alarm', value: 'door open', quality: 'good' }],
  });
  for (let until = 101; until <= 105; until++) log.emit({ kind: 'observed', until });
  await writer.closeAll();
  await spool.close();
}

export function pressReadings(start: number): Reading[] {
  return Array.from({ length: 10 }, (_, n) => ({
    index: start + n * 1000,
    tag: 'temperature',
    value: 20 + n,
    quality: 'good',
  }));
}
