// A spool for tests: in memory, on a virtual clock, with helpers that read like the scenario.
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { LaneName, Outgoing } from '../../uplink/lanes.ts';
import type { ClosedWindow, StreamChange } from '../../windows/window-store.ts';
import type { Store } from '../engine/store.ts';
import { MemoryStore } from '../engine/testing/memory-store.ts';
import type { RecordCodec } from '../format/record.ts';
import { openSpool, type Spool, type SpoolOptions } from '../spool.ts';

export interface TestSpool {
  readonly spool: Spool;
  readonly clock: VirtualClock;
}

let codecInUse: RecordCodec | undefined;

/** For suites that run once more with another codec. */
export function useCodecInTests(codec: RecordCodec): void {
  codecInUse = codec;
}

export async function openTestSpool(
  store: Store = new MemoryStore(),
  more: Partial<SpoolOptions> = {},
): Promise<TestSpool> {
  const clock = (more.clock as VirtualClock | undefined) ?? new VirtualClock();
  const spool = await openSpool({
    folder: 'memory',
    clock,
    random: seededRandom(1),
    log: silentLog,
    metrics: noMetrics,
    store: async () => store,
    ...(codecInUse === undefined ? {} : { codec: codecInUse }),
    ...more,
  });
  return { spool, clock };
}

export const window = (start: number, end: number): Window => ({ start, end });

export function readingsIn({ start, end }: Window, step = 1): Reading[] {
  const readings: Reading[] = [];
  for (let index = start; index < end; index += step) {
    readings.push({ index, tag: 'level', value: index * 2, quality: 'good' });
  }
  return readings;
}

export function closed(batchId: string, range: Window, more: Partial<ClosedWindow> = {}): ClosedWindow {
  const batch = { batchId, index: 'sequence', window: range, readings: readingsIn(range) } as const;
  return { batch, late: false, to: 'lane', plainBytes: 0, ...more };
}

/** One stream's windows as one commit. */
export function change(batchId: string, windows: readonly ClosedWindow[]): StreamChange {
  const floor = windows.at(-1)?.batch.window.end;
  return {
    batchId,
    index: 'sequence',
    closed: windows,
    restart: true,
    ...(floor === undefined ? {} : { floor }),
  };
}

export const all = { messages: 1000, bytes: Number.MAX_SAFE_INTEGER };

export const idsOf = (entries: readonly Outgoing[]) => entries.map((entry) => entry.message.messageId);

export async function takeAll(spool: Spool, lane: LaneName): Promise<readonly Outgoing[]> {
  const taken: Outgoing[] = [];
  for (;;) {
    const more = await spool.take(lane, all);
    if (more.length === 0) return taken;
    taken.push(...more);
  }
}
