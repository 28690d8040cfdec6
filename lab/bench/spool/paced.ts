// Runs the contenders side by side, each in its own process on a file system of its own: whatever else the
// machine does, it does to all of them.
import { runChild } from '../harness/child.ts';
import { type Device, makeDevice } from '../harness/device.ts';
import type { ContenderSettings } from './contenders.ts';
import type { PacedSettings } from './paced.child.ts';
import type { SteppedSettings } from './stepped.child.ts';

export type Contender = ContenderSettings['contender'];

export interface Written {
  readonly contender: Contender;
  readonly counts: Device['counts'];
  readonly readings: number;
  readonly commits: number;
  readonly bytesPerReading: number;
}

export interface Paced extends Written {
  readonly cpuMicrosPerReading: number;
  /** Of one core. */
  readonly coreShare: number;
  readonly commitMs: number;
  readonly loopDelayP99Ms: number;
  readonly loopDelayMaxMs: number;
}

export type Run<T> = Readonly<Record<Contender, T>>;
type Settings<T> = Omit<T, 'contender' | 'folder'>;

/** In real time: for processor time and delays. */
export function runPaced(
  contenders: readonly Contender[],
  settings: Settings<PacedSettings>,
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Run<Paced>> {
  return runAll(new URL('paced.child.ts', import.meta.url), contenders, settings, folder, env);
}

/** On a clock that waits for the disk: for bytes. */
export function runStepped(
  contenders: readonly Contender[],
  settings: Settings<SteppedSettings>,
  folder: string,
): Promise<Run<Written>> {
  return runAll(new URL('stepped.child.ts', import.meta.url), contenders, settings, folder, {});
}

async function runAll<T extends Written>(
  file: URL,
  contenders: readonly Contender[],
  settings: Settings<ContenderSettings>,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Run<T>> {
  const runs = await Promise.all(contenders.map((each) => runOne<T>(file, each, settings, folder, env)));
  return Object.fromEntries(runs.map((run) => [run.contender, run])) as unknown as Run<T>;
}

async function runOne<T extends Written>(
  file: URL,
  contender: Contender,
  settings: Settings<ContenderSettings>,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<T> {
  const device = makeDevice(folder, 512 + settings.archiveMB * 4);
  let before = 0;
  let after = 0;
  try {
    const result = await runChild(
      file,
      { ...settings, contender, folder: device.folder },
      {
        env,
        onMark: ({ mark }, { pid }) => {
          if (mark === 'start') before = device.writtenBytes(pid!);
          if (mark === 'end') after = device.writtenBytes(pid!);
        },
      },
    );
    const bytesPerReading = (after - before) / result.readings!;
    return { ...(result as unknown as T), contender, counts: device.counts, bytesPerReading };
  } finally {
    device.remove();
  }
}
