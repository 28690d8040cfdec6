import { join } from 'node:path';
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import { openSpoolEngine } from '../../../runtime/spool/format/spool-engine.ts';
import { keepInFile } from './file-recorder.ts';
import { fill, fillLimits } from './fill.ts';
import { nothing, type Recorder } from './recorder.ts';
import { keepInSpool } from './spool-recorder.ts';

export interface ContenderSettings {
  readonly contender: 'spool' | 'file' | 'nothing';
  readonly folder: string;
  readonly streams: number;
  readonly commitMs: number;
  /** Archived before it begins, and the most that is kept: so retention removes as much as comes in. */
  readonly archiveMB: number;
}

export async function makeContender(settings: ContenderSettings, clock: Clock): Promise<Recorder> {
  const { contender, folder, streams, commitMs, archiveMB } = settings;
  if (contender === 'nothing') return nothing;
  if (contender === 'file') return keepInFile(join(folder, 'plain'), clock, commitMs);
  const spoolFolder = join(folder, 'spool');
  await fillArchive(spoolFolder, archiveMB);
  return keepInSpool({
    folder: spoolFolder,
    clock,
    streams,
    limits: { commitIntervalMs: commitMs },
    retention: { archiveBytes: archiveMB * 2 ** 20 },
    acknowledge: true,
  });
}

async function fillArchive(folder: string, megabytes: number): Promise<void> {
  const filler = await keepInSpool({
    folder,
    clock: systemClock,
    streams: 1,
    limits: fillLimits,
    gzip: false,
    acknowledge: true,
  });
  await fill(filler, megabytes, 1);
  await filler.stop();
  await compactStore(join(folder, 'store'));
}

// What LevelDB would still have to tidy up of it must not be counted against what is measured.
async function compactStore(folder: string): Promise<void> {
  const { store } = await openSpoolEngine({ folder, create: false });
  await store.compactRange(Buffer.of(0), Buffer.of(255));
  await store.close();
}
