// What it costs to remove the oldest quarter of an archive, and that a larger one does not make it dearer.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchOptions } from '../harness/bench.ts';
import { runChild } from '../harness/child.ts';
import type { TrimSettings } from './trim.child.ts';

export interface Trim {
  /** Bytes written for each byte freed, of the larger archive, times those of the smaller. */
  readonly growth: number;
  readonly table: readonly Readonly<Record<string, number>>[];
}

export async function measureTrim(
  { folder, say }: BenchOptions,
  sizesMB: readonly [number, number],
): Promise<Trim> {
  const rows: Readonly<Record<string, number>>[] = [];
  for (const archiveMB of sizesMB) {
    say(`removing a quarter of an archive of ${archiveMB} MB`);
    const settings: TrimSettings = { folder: mkdtempSync(join(folder, 'trim-')), archiveMB };
    const seen = await runChild(new URL('trim.child.ts', import.meta.url), settings);
    rmSync(settings.folder, { recursive: true, force: true });
    rows.push({
      'archive MB': archiveMB,
      messages: seen.messages!,
      'freed MB': seen.freedMB!,
      'removed/s': seen.removedPerSecond!,
      'bytes written for a byte freed': seen.writtenPerFreedByte!,
    });
  }
  const [small, large] = rows.map((row) => row['bytes written for a byte freed']!);
  return { growth: large! / small!, table: rows };
}
