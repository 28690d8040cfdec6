// A server that reports changes only, node-opcua's, read into real windows: a change that found no room there is reported
// again before anything is claimed.
import { expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { systemRandom } from '../../../kernel/random.ts';
import type { ClosedWindow } from '../../windows/window-store.ts';
import { createWindows } from '../../windows/windows.ts';
import { superviseSource } from '../supervisor.ts';
import { never, serverUnderTest } from './testing/server-under-test.ts';

const server = serverUnderTest();
const batchId = 'kiln';

/** Real windows over a store in memory. */
function openWindows() {
  const closed: ClosedWindow[] = [];
  const windows = createWindows({
    store: {
      openStream: () => ({ continuity: 'proven' }),
      async commitWindows(changes) {
        closed.push(...changes.flatMap((change) => change.closed));
        return [];
      },
    },
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    limits: { ageMs: 300, quietMs: 300, commitIntervalMs: 50 },
  });
  /** Claimed windows that begin at `from` or later, in order. */
  const since = (from: number) =>
    closed
      .filter(({ late, batch }) => !late && batch.window.start >= from)
      .map(({ batch }) => batch)
      .sort((a, b) => a.window.start - b.window.start);
  return { windows, since };
}

it('begins with all values again where the stream was held back, and claims nothing in between', async () => {
  const { windows, since } = openWindows();
  const names = ['recipe', 'count'];
  const source = server.sourceOf({
    history: undefined,
    snapshots: true,
    tags: names.map((name) => ({ name, node: `ns=1;s=setpoints.${name}`, writable: true })),
  });
  const supervised = superviseSource({
    name: batchId,
    source,
    sink: windows.openStream({ batchId, index: 'time', pace: 'live' }),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    metrics: noMetrics,
  });
  supervised.start();
  try {
    await expect.poll(() => since(0).length, { timeout: 90_000 }).toBeGreaterThan(1);
    windows.pause(() => true);
    await source.write!({ tag: 'recipe', value: 'changed while held', onSend() {} }, never);
    // What tells of the change is heard, and dropped.
    const dropped = () => windows.streams()[0]!.observing;
    await expect.poll(dropped, { timeout: 90_000 }).toBe(false);
    const heard = supervised.state().readings;
    await expect.poll(() => supervised.state().readings, { timeout: 90_000 }).toBeGreaterThan(heard);
    const heldTo = windows.known(batchId)!.floor!;
    windows.pause(undefined);
    await expect.poll(() => since(heldTo + 1).length, { timeout: 90_000 }).toBeGreaterThan(1);
    const [first] = since(heldTo + 1);
    const told = new Map(first!.readings.map(({ tag, value }) => [tag, value]));
    expect(told.get('recipe')).toBe('changed while held');
    // One that did not change is told, too: nobody knows here that what was dropped did not speak of it.
    expect(told.get('count')).toBe(7);
    expect(first!.window.start).toBeGreaterThan(heldTo);
  } finally {
    await supervised.stop();
    await windows.closeAll();
  }
});
