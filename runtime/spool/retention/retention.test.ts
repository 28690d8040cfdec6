import { createCipheriv, createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { Reading } from '../../../wire/reading.ts';
import { openLevelStore } from '../engine/leveldb/level-store.ts';
import { MemoryStore } from '../engine/testing/memory-store.ts';
import type { Spool, SpoolOptions } from '../spool.ts';
import {
  all,
  change,
  closed,
  idsOf,
  openTestSpool,
  readingsIn,
  takeAll,
  window,
} from '../testing/open-test-spool.ts';
import { defaultRetention } from './config.ts';
import { decide, leastUnsentBytes, needsBackpressure } from './retention-policy.ts';

const mib = 1024 * 1024;
const limits = {
  ...defaultRetention,
  archiveMs: 1000,
  archiveBytes: 100,
  unsentMs: 5000,
  maxBytes: 1000,
  reserveBytes: 50,
};
const facts = { now: 10_000, storedBytes: 0, unsentBytes: 0, freeBytes: 1e9, deletedBytes: 0 };

describe('the decision', () => {
  it.each([
    ['nothing for want of space', {}, 0, 0],
    ['archive beyond its cap', { storedBytes: 300, unsentBytes: 150 }, 50, 0],
    ['archive first, when all is too much', { storedBytes: 1200, unsentBytes: 900 }, 200, 0],
    ['unsent for what the archive cannot give', { storedBytes: 1300, unsentBytes: 1250 }, 300, 250],
    [
      'archive for free space, less what is deleted already',
      { storedBytes: 90, freeBytes: 10, deletedBytes: 15 },
      25,
      0,
    ],
    [
      'unsent for free space, but never the newest few',
      { storedBytes: leastUnsentBytes + 20, unsentBytes: leastUnsentBytes + 20, freeBytes: 0 },
      8 * mib + 20 - 1000,
      8 * mib + 20 - 1000,
    ],
    ['nothing for free space when the disk cannot be asked', { storedBytes: 90, freeBytes: undefined }, 0, 0],
  ])('removes %s', (_name, more, archive, unsent) => {
    const decision = decide(limits, { ...facts, ...more });
    expect([decision.archive.bytes, decision.unsent.bytes]).toEqual([archive, unsent]);
  });

  it('ages only on a trusted clock', () => {
    expect(decide(limits, facts)).toMatchObject({
      archive: { olderThan: 9000 },
      unsent: { olderThan: 5000 },
    });
    const untrusted = decide(limits, { ...facts, now: undefined });
    expect(untrusted.archive.olderThan).toBe(Number.NEGATIVE_INFINITY);
    expect(untrusted.unsent.olderThan).toBe(Number.NEGATIVE_INFINITY);
  });

  it('holds instead of dropping, with a band', () => {
    const withBackpressure = { ...limits, policy: 'backpressure' as const };
    const full = { ...facts, storedBytes: 1300, unsentBytes: 1250 };
    expect(decide(withBackpressure, full).unsent.bytes).toBe(0);
    expect(needsBackpressure(withBackpressure, full, false)).toBe(true);
    const eased = { ...facts, unsentBytes: 850 };
    expect([
      needsBackpressure(withBackpressure, eased, false),
      needsBackpressure(withBackpressure, eased, true),
    ]).toEqual([false, true]);
    expect(needsBackpressure(limits, full, false)).toBe(false);
  });
});

async function open(retention: SpoolOptions['retention'], more: Partial<SpoolOptions> = {}) {
  const store = new MemoryStore();
  const made = await openTestSpool(store, {
    retention: { archiveMs: 1e12, unsentMs: 1e12, intervalMs: 1000, ...retention },
    freeBytes: async () => undefined,
    ...more,
  });
  return { ...made, store };
}

const write = (spool: Spool, ...starts: number[]) =>
  spool.commitWindows([
    change(
      'a',
      starts.map((start) => closed('a', window(start, start + 10))),
    ),
  ]);

/** Everything in the store but the spool's own few records. */
const kept = (store: MemoryStore) =>
  store.entries.filter(({ key }) => !'msn'.includes(String.fromCharCode(key[0]!))).length;

describe('the room of what was removed', () => {
  it('is given back at once for values, and in the index once a fifth of its messages are gone', async () => {
    const { spool, clock, store } = await open({ archiveBytes: 1, compactBytes: 1 });
    const given: string[] = [];
    store.collectGarbage = async () => void given.push('values');
    store.compactRange = async () => void given.push('index');
    const keepAndSend = async (...starts: number[]) => {
      await write(spool, ...starts);
      await spool.acknowledge(await spool.take('live', all));
    };
    // What waits to be sent stays, and is what the index mostly has.
    await keepAndSend(0, 10, 20);
    await write(spool, ...Array.from({ length: 20 }, (_, n) => 100 + n * 10));
    await clock.advance(1000);
    expect(given).toEqual(['values']);
    await keepAndSend();
    await clock.advance(1000);
    expect(given.filter((what) => what === 'index').length).toBeGreaterThan(0);
  });

  it('takes no pause while there is more to remove than a sweep may', async () => {
    const { spool, clock, store } = await open({ archiveBytes: 1 });
    for (let n = 0; n < 6000; n += 500)
      await write(spool, ...Array.from({ length: 500 }, (_, k) => (n + k) * 10));
    for (let some = await spool.take('live', all); some.length > 0; some = await spool.take('live', all))
      await spool.acknowledge(some);
    await clock.advance(1000);
    expect(spool.stats().stored.messages).toBe(0);
    expect(kept(store)).toBe(0);
  });
});

describe('the archive', () => {
  it('goes by age, whole, and leaves nothing behind', async () => {
    const { spool, clock, store } = await open({ archiveMs: 10_000 });
    await write(spool, 0, 10);
    await spool.acknowledge(await spool.take('live', all));
    await clock.advance(5_000);
    await write(spool, 20);
    await spool.acknowledge(await spool.take('live', all));
    await clock.advance(7_000);
    expect((await spool.find('a', window(0, 99), 9)).map((each) => each.window)).toEqual([window(20, 30)]);
    await clock.advance(9_000);
    expect(kept(store)).toBe(0);
    expect(spool.stats().stored).toEqual({ messages: 0, bytes: 0 });
  });

  it('goes by bytes, oldest first, and never what waits to be sent', async () => {
    const { spool, clock } = await open({ archiveBytes: 1 });
    await write(spool, 0, 10, 20);
    const taken = await spool.take('live', all);
    await spool.acknowledge([taken[0]!, taken[2]!]);
    await clock.advance(1000);
    expect((await spool.find('a', window(0, 99), 9)).map((each) => each.window)).toEqual([window(10, 20)]);
    spool.release(taken);
    expect(idsOf(await spool.take('live', all))).toEqual(['a;10-20']);
  });

  it('stays while a backfill answer that names it waits', async () => {
    const { spool, clock } = await open({ archiveBytes: 1 });
    await write(spool, 0);
    await spool.acknowledge(await spool.take('live', all));
    const [found] = await spool.find('a', window(0, 10), 1);
    const saved = spool.save(
      {
        requestId: 'r1',
        batchId: 'a',
        index: 'sequence',
        range: window(0, 10),
        state: 'running',
        covered: [],
        voids: [],
        createdAt: 0,
        updatedAt: 0,
      },
      { requeue: [found!.id] },
    );
    await spool.compact();
    await saved;
    await clock.advance(5000);
    const answers = await spool.take('backfill', all);
    expect(idsOf(answers)).toEqual(['a;0-10;b']);
    await spool.acknowledge(answers);
    await clock.advance(2000);
    expect(await spool.find('a', window(0, 10), 1)).toEqual([]);
  });

  it('is swept behind a backlog that is longer than one sweep', async () => {
    const { spool, clock } = await open({ archiveBytes: 1 });
    for (let n = 0; n < 12; n++) {
      await spool.commitWindows([
        change(
          'a',
          Array.from({ length: 600 }, (_, k) => closed('a', window(n * 600 + k, n * 600 + k + 1))),
        ),
      ]);
    }
    await write(spool, 100_000);
    const entries = [...(await takeAll(spool, 'live'))];
    const last = entries.pop()!;
    spool.release(entries);
    await spool.acknowledge([last]);
    await clock.advance(5000);
    expect(await spool.find('a', window(100_000, 100_010), 1)).toEqual([]);
    expect(spool.depth('live').messages).toBe(7200);
  });

  it('starts past what was removed', async () => {
    const { spool, clock, store } = await open({ archiveBytes: 1 });
    await write(spool, 0, 10, 20);
    await spool.acknowledge(await spool.take('live', all));
    await clock.advance(2000);
    await write(spool, 30);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(idsOf(await takeAll(next, 'backlog'))).toEqual(['a;30-40']);
  });
});

describe('windows that were never sent', () => {
  it('go by age, and a void says so, one for windows that touch', async () => {
    const { spool, clock, store } = await open({ unsentMs: 10_000 });
    await write(spool, 0, 10, 20, 50);
    await clock.advance(8_000);
    await write(spool, 60);
    await clock.advance(4_000);
    const sent = await takeAll(spool, 'live');
    expect(idsOf(sent)).toEqual(['a;60-70', 'a;0-30;v', 'a;50-60;v']);
    expect(sent[1]!.message.properties).toMatchObject({ void: 'evicted', startWindow: '0', endWindow: '30' });
    expect(spool.stats()).toMatchObject({ evicted: 4, lanes: { live: { messages: 3 } } });
    await spool.acknowledge(sent);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(next.stats().evicted).toBe(4);
    expect(await takeAll(next, 'backlog')).toEqual([]);
  });

  it('go by bytes, oldest first, when the policy is to drop', async () => {
    const { spool, clock } = await open({ maxBytes: 5000 });
    for (let n = 0; n < 12; n++) await write(spool, n * 10);
    await clock.advance(1000);
    const ids = idsOf(await takeAll(spool, 'live'));
    expect(ids.at(-1)).toMatch(/^a;0-\d+;v$/);
    expect(ids.at(-2)).toBe('a;110-120');
    expect(ids.length).toBeLessThan(11);
  });

  it('stay when the policy is backpressure, and sources are told to wait, then to go on', async () => {
    const { spool, clock } = await open({ maxBytes: 3000, policy: 'backpressure' });
    const told: boolean[] = [];
    spool.onBackpressure((isActive) => told.push(isActive));
    for (let n = 0; n < 20; n++) await write(spool, n * 10);
    await clock.advance(1000);
    expect(told).toEqual([true]);
    expect(spool.stats()).toMatchObject({
      backpressure: true,
      evicted: 0,
      lanes: { live: { messages: 20 } },
    });
    await spool.acknowledge(await takeAll(spool, 'live'));
    await clock.advance(1000);
    expect(told).toEqual([true, false]);
  });

  it('leave a gap instead of a void where the source can be asked again', async () => {
    const { spool, clock } = await open({ unsentMs: 1000 }, { hasHistory: (batchId) => batchId === 'a' });
    await write(spool, 0);
    await spool.commitWindows([change('b', [closed('b', window(0, 5))])]);
    await clock.advance(3000);
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['b;0-5;v']);
    // Should it turn out that it cannot, nobody is told another reason.
    expect(spool.stream('a')).toMatchObject({ evicted: [window(0, 10)] });
    // What is declared says so itself.
    expect(spool.stream('b')).not.toHaveProperty('evicted');
  });

  it('are forgotten once they are answered or declared', async () => {
    const { spool, clock } = await open({ unsentMs: 1000 }, { hasHistory: () => true });
    await write(spool, 0, 20, 40);
    await clock.advance(3000);
    const stream = { batchId: 'a', index: 'sequence' } as const;
    const times = { covered: [], voids: [], createdAt: 0, updatedAt: 0 };
    const job = { ...stream, ...times, requestId: 'r1', range: window(0, 50), state: 'running' } as const;
    const answer = { ...stream, window: window(0, 10), readings: readingsIn(window(0, 10)) };
    const declared = { ...stream, window: window(20, 25), reason: 'no-history' } as const;
    await spool.save(job, { batches: [answer], voids: [declared] });
    expect(spool.stream('a')?.evicted).toEqual([window(25, 30), window(40, 50)]);
    await spool.save(job, { voids: [{ ...declared, window: window(25, 50) }] });
    expect(spool.stream('a')).not.toHaveProperty('evicted');
  });

  it('are remembered by their stream, over starts: what touches as one range, and of many the newest', async () => {
    const { spool, clock, store } = await open({ unsentMs: 1000 }, { hasHistory: () => true });
    const holes = Array.from({ length: 70 }, (_, n) => n * 30);
    await write(spool, ...holes.flatMap((at) => [at, at + 10]));
    await clock.advance(3000);
    const newest = holes.slice(-64).map((at) => window(at, at + 20));
    expect(spool.stream('a')?.evicted).toEqual(newest);
    await spool.close();
    const { spool: next } = await openTestSpool(store.restarted(), { clock });
    expect(next.stream('a')?.evicted).toEqual(newest);
  });

  it('stay while they are being sent', async () => {
    const { spool, clock } = await open({ unsentMs: 1000 });
    await write(spool, 0, 10);
    const [first] = await spool.take('live', { messages: 1, bytes: 1e9 });
    await clock.advance(3000);
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;10-20;v']);
    spool.release([first!]);
    await clock.advance(1000);
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;0-10;v']);
  });

  it('stay, however old they look, while the clock is not trusted', async () => {
    const clock = new VirtualClock();
    const { spool } = await open({ unsentMs: 1000, archiveMs: 1000 }, { clock, clockTrusted: () => false });
    await write(spool, 0);
    clock.stepWall(1e12);
    await clock.advance(5000);
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;0-10']);
  });

  it('that were late are declared lost by number, and that is said again once the declaration itself is too old', async () => {
    const { spool, clock } = await open({ unsentMs: 10_000 });
    const writeLate = (start: number) =>
      spool.commitWindows([change('a', [closed('a', window(start, start + 1), { late: true })])]);
    await writeLate(3);
    await writeLate(4);
    await clock.advance(12_000);
    await writeLate(5);
    await write(spool, 10);
    await clock.advance(30_000);
    const lost = (await takeAll(spool, 'live')).map(({ message: { properties } }) => properties);
    const numbers = lost.flatMap(({ lateNumber, lateThrough }) => {
      const [first, last] = [lateNumber, lateThrough].map((text) => Number(text?.split('.')[1]));
      return lateNumber === undefined ? [] : Array.from({ length: last! - first! + 1 }, (_, n) => first! + n);
    });
    expect(numbers.sort()).toEqual([1, 2, 3]);
    expect(lost.filter(({ lateNumber }) => lateNumber === undefined)).toMatchObject([
      { void: 'evicted', startWindow: '10', endWindow: '20' },
    ]);
  });

  it('stay in their lane where the disk does not say what they hold, and go at the next look', async () => {
    const { spool, clock, store } = await open({ unsentMs: 10_000 });
    await write(spool, 0);
    const range = store.range.bind(store);
    let refused = 0;
    store.range = async (options) => {
      if (options.reverse && refused++ < 2) throw new Error('EIO: i/o error, read');
      return range(options);
    };
    await clock.advance(11_500);
    expect(refused).toBeGreaterThan(0);
    expect(spool.stats().evicted).toBe(0);
    await clock.advance(5_000);
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;0-10;v']);
  });

  it('of several parts go only as a whole', async () => {
    const { spool, clock } = await open({ unsentMs: 1000 });
    const readings = Array.from(
      { length: 40 },
      (_, n): Reading => ({ index: 0, tag: `t${n}`, value: incompressible(20_000, n), quality: 'good' }),
    );
    const batch = { batchId: 'a', index: 'sequence', window: window(0, 1), readings } as const;
    await spool.commitWindows([change('a', [{ batch, late: false, to: 'lane', plainBytes: 0 }])]);
    const [first] = await spool.take('live', { messages: 1, bytes: 1e9 });
    expect(first!.message.properties.part).toMatch(/^1\/[2-9]/);
    await clock.advance(3000);
    expect(spool.stats().evicted).toBe(0);
    spool.release([first!]);
    await clock.advance(2000);
    expect(spool.stats().evicted).toBe(1);
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;0-1;v']);
  });

  it('give up answers to requests that nobody waits for any more', async () => {
    const { spool, clock, store } = await open({ unsentMs: 1000 });
    const job = {
      requestId: 'r',
      batchId: 'a',
      index: 'sequence',
      range: window(0, 9),
      state: 'done',
    } as const;
    const voids = [{ batchId: 'a', index: 'sequence', window: window(0, 9), reason: 'no-history' } as const];
    await spool.save({ ...job, covered: [], voids: [], createdAt: 0, updatedAt: 0 }, { voids });
    await clock.advance(3000);
    expect(spool.depth('backfill')).toEqual({ messages: 0, bytes: 0 });
    expect(store.entries.some(({ key }) => 'bq'.includes(String.fromCharCode(key[0]!)))).toBe(false);
  });
});

describe('the disk', () => {
  const folders: string[] = [];
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  it('gets its space back once all has been sent and kept long enough', { timeout: 30_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-retention-'));
    folders.push(folder);
    const store = await openLevelStore({ folder });
    const { spool, clock } = await openTestSpool(store, {
      encode: { schema: 'columns/1', gzip: false },
      retention: { archiveMs: 1000, intervalMs: 500 },
    });
    for (let n = 0; n < 24; n++) {
      const readings = Array.from(
        { length: 50 },
        (_, k): Reading => ({
          index: n,
          tag: `t${k}`,
          value: incompressible(20_000, n * 50 + k),
          quality: 'good',
        }),
      );
      const batch = { batchId: 'a', index: 'sequence', window: window(n, n + 1), readings } as const;
      await spool.commitWindows([change('a', [{ batch, late: false, to: 'lane', plainBytes: 0 }])]);
    }
    const full = await spool.diskBytes();
    expect(full).toBeGreaterThan(20 * mib);
    for (let more = await spool.take('live', all); more.length > 0; more = await spool.take('live', all)) {
      await spool.acknowledge(more);
    }
    await clock.advance(2000);
    await spool.compact();
    expect(spool.stats().stored).toEqual({ messages: 0, bytes: 0 });
    expect(await spool.diskBytes()).toBeLessThan(5 * mib);
    await spool.close();
  });
});

function incompressible(length: number, seed: number): string {
  const block = createHash('sha512').update(String(seed)).digest('base64');
  const key = Buffer.from(block).subarray(0, 16);
  const cipher = createCipheriv('aes-128-ctr', key, key);
  return cipher.update(Buffer.alloc(length)).toString('base64').slice(0, length);
}
