// What is looked at while a soak runs: memory, descriptors, disk and series of what is shipped.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '../demo/world.ts';
import { footprintOf } from '../outages/footprint.ts';

export interface Sample {
  /** Since the beginning. */
  readonly seconds: number;
  /** By process; absent while it is down. */
  readonly processes: Readonly<Record<string, ProcessSample>>;
  /** Of the gateway's data folder. */
  readonly diskMb: number;
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

export async function takeSample(world: World, dataFolder: string, seconds: number): Promise<Sample> {
  const [runtime, detector, status] = await Promise.all([
    sampleOf(world, 'runtime'),
    sampleOf(world, 'detector'),
    world.runtimeStatus().catch(() => undefined) as Promise<Status | undefined>,
  ]);
  const lanes = status === undefined ? undefined : Object.values(status.spool?.lanes ?? {});
  return {
    seconds,
    processes: { ...(runtime && { runtime }), ...(detector && { detector }) },
    diskMb: bytesUnder(dataFolder) / 2 ** 20,
    ...(lanes && { unsent: lanes.reduce((sum, { messages }) => sum + messages, 0) }),
  };
}

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

/** Files may come and go meanwhile. */
function bytesUnder(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => {
      const { blocks = 0 } = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false }) ?? {};
      return sum + blocks * 512;
    }, 0);
}
