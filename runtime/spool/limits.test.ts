// Parts and limits, from a source's events to messages.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { type BodyOptions, decodeBody } from '../../wire/body.ts';
import { maxMessageBytes } from '../../wire/limits.ts';
import { messageBytes } from '../../wire/message.ts';
import type { Reading } from '../../wire/reading.ts';
import type { Outgoing } from '../uplink/lanes.ts';
import { createWindows } from '../windows/windows.ts';
import { MemoryStore } from './engine/testing/memory-store.ts';
import { openTestSpool, takeAll } from './testing/open-test-spool.ts';

async function start(encode: BodyOptions) {
  const store = new MemoryStore();
  const { spool, clock } = await openTestSpool(store, { encode });
  const windows = createWindows({ store: spool, clock, log: silentLog, metrics: noMetrics });
  const finish = async () => {
    const closed = windows.closeAll();
    await clock.advance(1000);
    await closed;
    return takeAll(spool, 'live');
  };
  return { store, spool, clock, windows, finish };
}

const bodyOf = ({ message }: Outgoing) =>
  decodeBody(message.body, {
    schema: message.properties.schema ?? '',
    contentEncoding: message.contentEncoding,
    index: 'time',
  });

describe.each([
  { schema: 'readings/1', gzip: false },
  { schema: 'columns/1', gzip: true },
] as const)('$schema, gzip $gzip', (encode) => {
  it('10,000 readings at one millisecond are one window, in parts that each fit a message', async () => {
    const { windows, finish, store } = await start(encode);
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 1000 });
    const readings = Array.from(
      { length: 10_000 },
      (_, n): Reading => ({ index: 1000, tag: `tag-${n}`, value: Math.sin(n), quality: 'good' }),
    );
    sink.emit({ kind: 'readings', readings });
    sink.emit({ kind: 'observed', until: 1001 });
    const sent = await finish();
    const windowsOf = new Set(
      sent.map(({ message }) => `${message.properties.startWindow}-${message.properties.endWindow}`),
    );
    expect(windowsOf.size).toBe(1);
    if (!encode.gzip) expect(sent.length).toBeGreaterThan(1);
    for (const entry of sent) expect(messageBytes(entry.message)).toBeLessThanOrEqual(maxMessageBytes);
    expect(sent.flatMap(bodyOf)).toEqual(readings);
    // The same after a restart, from what is stored.
    const { spool: next } = await openTestSpool(store.restarted());
    expect((await takeAll(next, 'backlog')).flatMap(bodyOf)).toEqual(readings);
  });

  it('10,000 readings at one millisecond come back from the journal too', async () => {
    const { windows, store, clock } = await start(encode);
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 1000 });
    const readings = Array.from(
      { length: 10_000 },
      (_, n): Reading => ({ index: 1000, tag: `tag-${n}`, value: n, quality: 'good' }),
    );
    sink.emit({ kind: 'readings', readings });
    sink.emit({ kind: 'observed', until: 1001 });
    const durable = sink.durable();
    await clock.advance(300);
    await durable;
    const { spool: next } = await openTestSpool(store.restarted());
    expect((await takeAll(next, 'backlog')).flatMap(bodyOf)).toEqual(readings);
  });

  it('a reading of 300 KB is refused with a marker of its own, and the rest is unharmed', async () => {
    const { windows, finish } = await start(encode);
    const sink = windows.openStream({ batchId: 'a', index: 'time' });
    sink.emit({ kind: 'resumed', at: 0 });
    const good = (index: number): Reading => ({ index, tag: 'level', value: index, quality: 'good' });
    const huge: Reading = { index: 2, tag: 'image', value: 'x'.repeat(300_000), quality: 'good' };
    sink.emit({ kind: 'readings', readings: [good(1), huge, good(2), good(3)] });
    sink.emit({ kind: 'observed', until: 4 });
    const sent = await finish();
    expect(sent.flatMap(bodyOf)).toEqual([
      good(1),
      { index: 2, tag: 'image', value: null, quality: 'bad:too-large' },
      good(2),
      good(3),
    ]);
    expect(windows.streams()[0]).toMatchObject({ refused: 1, violations: 0 });
  });
});

describe('1,000 streams', () => {
  it('share one commit, and all come back after a crash', async () => {
    const { windows, store, clock } = await start({ schema: 'columns/1', gzip: true });
    const sinks = Array.from({ length: 1000 }, (_, n) =>
      windows.openStream({ batchId: `s${n}`, index: 'time' }),
    );
    const before = store.syncedBatches;
    for (const [n, sink] of sinks.entries()) {
      sink.emit({ kind: 'resumed', at: n });
      sink.emit({ kind: 'readings', readings: [{ index: n, tag: 'level', value: n, quality: 'good' }] });
      sink.emit({ kind: 'observed', until: n + 1 });
    }
    const durable = Promise.all(sinks.map((sink) => sink.durable()));
    await clock.advance(300);
    await durable;
    expect(store.syncedBatches - before).toBe(1);
    const { spool: next } = await openTestSpool(store.restarted());
    const back = await takeAll(next, 'backlog');
    expect(back).toHaveLength(1000);
    expect(back.flatMap(bodyOf).map(({ value }) => value)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
    expect(next.stats().recoveredWindows).toBe(1000);
  });
});
