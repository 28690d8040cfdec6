// What is looked at while a soak runs: memory, descriptors, disk and series of what is shipped.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { World } from '../demo/world.ts';
import { footprintOf } from '../outages/footprint.ts';

export interface Sample {
  /** Since the beginning. */
  readonly seconds: number;
  /** By process; absent while it is down. */
  readonly processes: Readonly<Record<string, ProcessSample>>;
  /** Of the gateway's data folder; absent while its disk gives no answer. */
  readonly diskMb?: number;
  /** That wait in the spool; absent while the module does not answer. */
  readonly unsent?: number;
}

export interface ProcessSample {
  /** A process that was killed begins anew. */
  readonly pid: number;
  readonly residentMb: number;
  readonly descriptors: number;
  /** Of its metrics; absent while it does not answer. */
  readonly series?: number;
}

export async function takeSample(world: World, seconds: number): Promise<Sample> {
  const [runtime, detector, status, bytes] = await Promise.all([
    sampleOf(world, 'runtime'),
    sampleOf(world, 'detector'),
    world.runtimeStatus().catch(() => undefined) as Promise<Status | undefined>,
    Promise.race([
      bytesUnder(world.dataFolder).catch(() => undefined),
      wait(patienceMs, undefined, { ref: false }),
    ]),
  ]);
  const lanes = status === undefined ? undefined : Object.values(status.spool?.lanes ?? {});
  return {
    seconds,
    processes: { ...(runtime && { runtime }), ...(detector && { detector }) },
    ...(bytes !== undefined && { diskMb: bytes / 2 ** 20 }),
    ...(lanes && { unsent: lanes.reduce((sum, { messages }) => sum + messages, 0) }),
  };
}

const patienceMs = 2000;

interface Status {
  readonly spool?: { readonly lanes?: Readonly<Record<string, { readonly messages: number }>> };
}

async function sampleOf(world: World, name: 'runtime' | 'detector'): Promise<ProcessSample | undefined> {
  const { pid, phase } = world[name].state();
  if (pid === undefined || phase !== 'running') return undefined;
  const series = await world.metrics(name).then(
    (text) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length,
    () => undefined,
  );
  try {
    const { residentMb, descriptors } = footprintOf(pid);
    return { pid, residentMb, descriptors, ...(series !== undefined && { series }) };
  } catch {
    // It was killed meanwhile.
    return undefined;
  }
}

/** Files may come and go meanwhile. Never synchronously: a disk may give no answer until this process has it do so. */
async function bytesUnder(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries.map(async (entry) => {
    if (!entry.isFile()) return 0;
    const { blocks } = await stat(join(entry.parentPath, entry.name)).catch(() => ({ blocks: 0 }));
    return blocks * 512;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
