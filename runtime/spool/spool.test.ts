import { describe, expect, it } from 'vitest';
import { settle } from '../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../wire/body.ts';
import type { JobRecord } from '../methods/backfill-store.ts';
import type { Outgoing } from '../uplink/lanes.ts';
import { MemoryStore } from './engine/testing/memory-store.ts';
import { idKey } from './format/keys.ts';
import {
  all,
  change,
  closed,
  idsOf,
  openTestSpool,
  readingsIn,
  takeAll,
  window,
} from './testing/open-test-spool.ts';

const readingsOf = (entry: Outgoing) =>
  decodeBody(entry.message.body, {
    schema: entry.message.properties.schema ?? '',
    contentEncoding: entry.message.contentEncoding,
    index: 'sequence',
  });

const job = (requestId: string, batchId = 'a'): JobRecord => ({
  requestId,
  batchId,
  index: 'sequence',
  range: window(0, 100),
  state: 'running',
  covered: [],
  voids: [],
  createdAt: 1,
  updatedAt: 1,
});

/** Runs `meanwhile` after the store has looked, and before the one who asked it knows. */
function duringNextRead(store: MemoryStore, meanwhile: () => Promise<unknown>): void {
  const range = store.range.bind(store);
  store.range = async (options) => {
    store.range = range;
    const found = await range(options);
    await meanwhile();
    return found;
  };
}

describe('what is said of a stream', () => {
  it('is what the disk has, not what a commit under way will make of it', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    let go = () => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    store.faults.beforeBatch = () => held;
    const append = { start: 20, end: 25, readings: [] };
    const done = spool.commitWindows([{ ...change('a', [closed('a', window(10, 20))]), append }]);
    await settle();
    expect(spool.stats().streams).toMatchObject([{ floor: 10, lastWindow: window(0, 10) }]);
    expect(spool.stream('a')).not.toHaveProperty('open');
    go();
    await done;
    expect(spool.stats().streams).toMatchObject([
      { floor: 20, lastWindow: window(10, 20), open: window(20, 25) },
    ]);
    expect(spool.stream('a')).toMatchObject({ open: window(20, 25) });
  });
});

/** A spool of a machine that started 5 s ago. */
async function firstStart() {
  const store = new MemoryStore();
  let upMs = 5000;
  const boot = { id: 'first-start', sinceStartMs: () => upMs };
  const passes = (ms: number) => {
    upMs += ms;
  };
  return { ...(await openTestSpool(store, { boot })), store, boot, passes };
}

describe('how long ago a stream was observed last', () => {
  const claimed = (start: number) => ({
    ...change('t', [closed('t', window(start, start + 10))]),
    index: 'time' as const,
  });

  it('is not told by late readings: observation came no further with them', async () => {
    const { store, boot, spool, clock, passes } = await firstStart();
    spool.openStream('t', 'time');
    await spool.commitWindows([claimed(100)]);
    passes(60_000);
    const late = change('t', [closed('t', window(90, 91), { late: true })]);
    await spool.commitWindows([{ ...late, index: 'time', floor: 110 }]);
    passes(10_000);
    await spool.close();
    const again = await openTestSpool(store.restarted(), { boot, clock });
    expect(again.spool.openStream('t', 'time')).toMatchObject({ floor: 110, ageMs: 70_000 });
    await again.spool.close();
  });

  it('is not told by a window that closes where the journal had come to', async () => {
    const { store, boot, spool, clock, passes } = await firstStart();
    spool.openStream('t', 'time');
    const append = { start: 100, end: 110, readings: [] };
    await spool.commitWindows([{ ...change('t', []), index: 'time', append, number: 7 }]);
    passes(3000);
    await spool.commitWindows([{ ...change('t', []), index: 'time', append: { ...append, end: 120 } }]);
    passes(60_000);
    await spool.commitWindows([
      { ...change('t', [closed('t', window(100, 120))]), index: 'time', restart: true },
    ]);
    await spool.close();
    const again = await openTestSpool(store.restarted(), { boot, clock });
    expect(again.spool.openStream('t', 'time')).toMatchObject({ floor: 120, ageMs: 60_000 });
    await again.spool.close();
  });

  it('has no number any more where that was of other equipment', async () => {
    const { store, boot, spool, clock } = await firstStart();
    spool.openStream('t', 'time');
    const append = { start: 100, end: 110, readings: [] };
    await spool.commitWindows([{ ...change('t', []), index: 'time', append, number: 7 }]);
    expect(spool.openStream('t', 'time').number).toBe(7);
    await spool.commitWindows([{ ...change('t', []), index: 'time', number: null }]);
    await spool.close();
    const again = await openTestSpool(store.restarted(), { boot, clock });
    expect(again.spool.openStream('t', 'time').number).toBeUndefined();
    await again.spool.close();
  });

  it('is told of what only the journal holds, too, where a number is kept', async () => {
    const { store, boot, spool, clock, passes } = await firstStart();
    spool.openStream('t', 'time');
    const append = { start: 100, end: 110, readings: [] };
    await spool.commitWindows([{ ...change('t', []), index: 'time', append, number: 7 }]);
    passes(9000);
    const further = { ...append, end: 120 };
    await spool.commitWindows([{ ...change('t', []), index: 'time', restart: false, append: further }]);
    const left = store.restarted();
    passes(1000);
    const again = await openTestSpool(left, { boot, clock });
    expect(again.spool.openStream('t', 'time')).toMatchObject({ floor: 120, ageMs: 1000 });
    await again.spool.close();
    await spool.close();
  });

  it('is told by the machine, whatever its wall clock was set to, until it is started anew', async () => {
    const store = new MemoryStore();
    let upMs = 5000;
    const bootOf = (id: string) => ({ boot: { id, sinceStartMs: () => upMs } });
    const { spool, clock } = await openTestSpool(store, bootOf('first-start'));
    spool.openStream('t', 'time');
    await spool.commitWindows([claimed(100)]);
    await spool.close();
    upMs += 70_000;
    clock.stepWall(-3_600_000);
    const again = await openTestSpool(store.restarted(), { ...bootOf('first-start'), clock });
    expect(again.spool.openStream('t', 'time')).toMatchObject({
      ageMs: 70_000,
      isAgeSure: true,
      setByMs: -3_600_000 - 70_000,
    });
    await again.spool.close();
    clock.stepWall(3_600_000 + 90_000);
    const rebooted = await openTestSpool(store.restarted(), { ...bootOf('other-start'), clock });
    const start = rebooted.spool.openStream('t', 'time');
    expect(start.ageMs).toBe(90_000);
    expect(start.isAgeSure).toBeUndefined();
  });
});

describe('lanes', () => {
  it('hands out windows in the order in which they closed, with all that was read', async () => {
    const { spool } = await openTestSpool();
    await spool.commitWindows([change('a', [closed('a', window(0, 10)), closed('a', window(10, 20))])]);
    await spool.commitWindows([change('b', [closed('b', window(5, 6))])]);
    const taken = await spool.take('live', all);
    expect(idsOf(taken)).toEqual(['a;0-10', 'a;10-20', 'b;5-6']);
    expect(readingsOf(taken[0]!)).toEqual(readingsIn(window(0, 10)));
    expect(taken[0]!.message.properties).toMatchObject({
      batchId: 'a',
      startWindow: '0',
      endWindow: '10',
      count: '10',
    });
  });

  it('hands nothing out twice, bounds what it hands out, and gives released entries first', async () => {
    const { spool } = await openTestSpool();
    await spool.commitWindows([
      change(
        'a',
        [0, 1, 2, 3, 4].map((n) => closed('a', window(n, n + 1))),
      ),
    ]);
    const first = await spool.take('live', { messages: 2, bytes: 1e9 });
    const second = await spool.take('live', { messages: 10, bytes: 1 });
    expect(idsOf(first)).toEqual(['a;0-1', 'a;1-2']);
    expect(idsOf(second)).toEqual(['a;2-3']);
    spool.release(first.slice(1));
    expect(idsOf(await spool.take('live', all))).toEqual(['a;1-2', 'a;3-4', 'a;4-5']);
    expect(await spool.take('live', all)).toEqual([]);
  });

  it('forgets what was acknowledged in any order, across a restart, and sends the rest as backlog', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([
      change(
        'a',
        [0, 1, 2, 3].map((n) => closed('a', window(n, n + 1))),
      ),
    ]);
    const taken = await spool.take('live', all);
    await spool.acknowledge([taken[2]!, taken[0]!]);
    await spool.acknowledge([taken[0]!]);
    expect(spool.depth('live').messages).toBe(2);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(next.depth('live').messages).toBe(0);
    expect(next.depth('backlog').messages).toBe(2);
    expect(idsOf(await takeAll(next, 'backlog'))).toEqual(['a;1-2', 'a;3-4']);
  });

  it('moves what is not taken to backlog when an outage ends, and what is released after it', async () => {
    const { spool } = await openTestSpool();
    await spool.commitWindows([
      change(
        'a',
        [0, 1, 2].map((n) => closed('a', window(n, n + 1))),
      ),
    ]);
    const taken = await spool.take('live', { messages: 1, bytes: 1e9 });
    spool.demoteLive();
    await spool.commitWindows([change('a', [closed('a', window(3, 4))])]);
    expect([spool.depth('live').messages, spool.depth('backlog').messages]).toEqual([2, 2]);
    spool.release(taken);
    expect([spool.depth('live').messages, spool.depth('backlog').messages]).toEqual([1, 3]);
    expect(idsOf(await spool.take('live', all))).toEqual(['a;3-4']);
    expect(idsOf(await takeAll(spool, 'backlog'))).toEqual(['a;0-1', 'a;1-2', 'a;2-3']);
  });

  it('loses nothing that is queued while a take reads the store', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([change('a', [closed('a', window(0, 1))])]);
    duringNextRead(store, () => spool.commitWindows([change('b', [closed('b', window(0, 1))])]));
    const taken = [...(await spool.take('live', all)), ...(await takeAll(spool, 'live'))];
    expect(idsOf(taken)).toEqual(['a;0-1', 'b;0-1']);
    expect(spool.depth('live').messages).toBe(2);
  });

  it('hands out once what is demoted while a take reads the store', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([change('a', [closed('a', window(0, 1)), closed('a', window(1, 2))])]);
    duringNextRead(store, async () => spool.demoteLive());
    const live = await spool.take('live', all);
    const backlog = await takeAll(spool, 'backlog');
    expect(idsOf([...live, ...backlog])).toEqual(['a;0-1', 'a;1-2']);
    await spool.acknowledge([...live, ...backlog]);
    await spool.commitWindows([change('a', [closed('a', window(2, 3))])]);
    expect([spool.depth('live').messages, spool.depth('backlog').messages]).toEqual([1, 0]);
  });

  it('says how much waits and since when', async () => {
    const { spool, clock } = await openTestSpool();
    const at = clock.now();
    await spool.commitWindows([change('a', [closed('a', window(0, 1))])]);
    await clock.advance(1000);
    await spool.commitWindows([change('a', [closed('a', window(1, 2))])]);
    expect(spool.depth('live')).toMatchObject({ messages: 2, oldestAt: at });
    const [first, second] = await spool.take('live', all);
    expect(spool.depth('live').bytes).toBe(first!.bytes + second!.bytes);
    await spool.acknowledge([first!]);
    expect(spool.depth('live')).toMatchObject({ messages: 1, oldestAt: at + 1000 });
    await spool.acknowledge([second!]);
    expect(spool.depth('live')).toEqual({ messages: 0, bytes: 0 });
  });

  it('keeps a refused message aside: counted, out of its lane, and not found for backfill', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([change('a', [closed('a', window(0, 1)), closed('a', window(1, 2))])]);
    const [first] = await spool.take('live', all);
    await spool.reject(first!, 'too strange');
    expect(spool.stats()).toMatchObject({ rejected: 1, lanes: { live: { messages: 1 } } });
    expect((await spool.find('a', window(0, 9), 9)).map((found) => found.window)).toEqual([window(1, 2)]);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(next.stats().rejected).toBe(1);
    expect(idsOf(await takeAll(next, 'backlog'))).toEqual(['a;1-2']);
  });

  it('a message that the hub refuses stays in its lane where the disk refuses as well', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    const [first] = await spool.take('live', all);
    const range = store.range.bind(store);
    store.range = async () => {
      throw new Error('EIO: i/o error, read');
    };
    await expect(spool.reject(first!, 'too strange')).rejects.toThrow('EIO');
    store.range = range;
    expect(spool.stats()).toMatchObject({ rejected: 0, lanes: { live: { messages: 1 } } });
    await spool.reject(first!, 'too strange');
    expect(spool.stats()).toMatchObject({ rejected: 1, lanes: { live: { messages: 0 } } });
  });

  it('tells listeners about new work until they stop listening', async () => {
    const { spool } = await openTestSpool();
    let calls = 0;
    const stop = spool.onWork(() => calls++);
    await spool.commitWindows([change('a', [closed('a', window(0, 1))])]);
    expect(calls).toBe(1);
    stop();
    await spool.commitWindows([change('a', [closed('a', window(1, 2))])]);
    expect(calls).toBe(1);
  });

  it('marks late windows as late, without a request', async () => {
    const { spool } = await openTestSpool();
    await spool.commitWindows([change('a', [closed('a', window(3, 4), { late: true })])]);
    const [late] = await spool.take('live', all);
    expect(late!.message.messageId).toMatch(/^a;3-4;l[0-9a-f]{8}\.1\.[0-9a-f]{8};b$/);
    expect(late!.message.properties).toMatchObject({ isBackfill: 'true', isLate: 'true' });
    expect(late!.message.properties).not.toHaveProperty('requestId');
  });
});

describe('the archive', () => {
  it('finds windows by stream and range, sent or not, and says which', async () => {
    const { spool } = await openTestSpool();
    const windows = [window(0, 10), window(10, 20), window(20, 30), window(40, 50)];
    await spool.commitWindows([
      change(
        'a',
        windows.map((each) => closed('a', each)),
      ),
    ]);
    await spool.commitWindows([change('b', [closed('b', window(0, 100))])]);
    const taken = await spool.take('live', { messages: 2, bytes: 1e9 });
    await spool.acknowledge(taken);
    const found = await spool.find('a', window(5, 21), 10);
    expect(found.map(({ window: each, state }) => [each.start, each.end, state])).toEqual([
      [0, 10, 'archived'],
      [10, 20, 'archived'],
      [20, 30, 'queued'],
    ]);
    expect(await spool.find('a', window(30, 40), 10)).toEqual([]);
    expect(await spool.find('unknown', window(0, 9), 10)).toEqual([]);
    expect((await spool.find('a', window(0, 100), 2)).map((each) => each.window.start)).toEqual([0, 10]);
  });

  it('keeps skipped windows without sending them', async () => {
    const { spool } = await openTestSpool();
    await spool.commitWindows([change('a', [closed('a', window(0, 10), { to: 'archive' })])]);
    expect(await spool.take('live', all)).toEqual([]);
    expect((await spool.find('a', window(0, 10), 1))[0]).toMatchObject({ state: 'archived' });
  });

  it('sends an archived window again as it was, marked with the request, while it waits unsent too', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    const [sent] = await spool.take('live', all);
    await spool.acknowledge([sent!]);
    const [found] = await spool.find('a', window(0, 10), 1);
    await spool.save(job('r1'), { requeue: [found!.id] });
    expect((await spool.find('a', window(0, 10), 1))[0]!.state).toBe('queued');
    const { spool: next } = await openTestSpool(store.restarted());
    const [again] = await next.take('backfill', all);
    expect(again!.message.messageId).toBe('a;0-10;b');
    expect(again!.message.properties).toMatchObject({ isBackfill: 'true', requestId: 'r1' });
    expect(Buffer.from(again!.message.body).equals(sent!.message.body)).toBe(true);
    await next.acknowledge([again!]);
    expect((await next.find('a', window(0, 10), 1))[0]!.state).toBe('archived');
    expect(next.depth('backfill')).toEqual({ messages: 0, bytes: 0 });
  });

  it('does not find a damaged window a second time', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([change('a', [closed('a', window(0, 10)), closed('a', window(10, 20))])]);
    const [first] = await spool.find('a', window(0, 10), 1);
    store.damage(idKey('r', first!.id), (value) => value.fill(7, 40, 44));
    await expect(spool.save(job('r1'), { requeue: [first!.id] })).rejects.toMatchObject({
      code: 'spool-window-gone',
      retryable: true,
    });
    expect(await spool.find('a', window(0, 10), 1)).toEqual([]);
    expect(await spool.find('a', window(10, 20), 1)).toHaveLength(1);
  });
});

describe('backfill jobs', () => {
  it('say nothing of what makes no message: neither the job nor the rest of the step is written', async () => {
    const { spool } = await openTestSpool();
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    const good = { batchId: 'a', index: 'sequence', window: window(20, 30), readings: [] } as const;
    // A position between two.
    const odd = { ...readingsIn(window(35, 36))[0]!, index: 35.5 };
    const bad = { batchId: 'a', index: 'sequence', window: window(30, 40), readings: [odd] } as const;
    await expect(spool.save(job('r1'), { batches: [good, bad] })).rejects.toMatchObject({
      code: 'spool-window-not-encoded',
    });
    expect(await spool.jobs()).toEqual([]);
    expect(spool.depth('backfill')).toEqual({ messages: 0, bytes: 0 });
    expect(await spool.find('a', window(20, 40), 9)).toEqual([]);
    await spool.save(job('r1'), { batches: [good] });
    expect(idsOf(await takeAll(spool, 'backfill'))).toEqual(['a;20-30;b']);
  });

  it('saves a job and what it produced in one write', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    const before = store.syncedBatches;
    await spool.save(job('r1'), {
      batches: [
        { batchId: 'a', index: 'sequence', window: window(20, 30), readings: readingsIn(window(20, 30)) },
      ],
      voids: [{ batchId: 'a', index: 'sequence', window: window(30, 40), reason: 'no-history' }],
    });
    expect(store.syncedBatches - before).toBe(1);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(await next.jobs()).toEqual([job('r1')]);
    const taken = await takeAll(next, 'backfill');
    expect(idsOf(taken)).toEqual(['a;20-30;b', 'a;30-40;v;b']);
    expect(taken[1]!.message.properties).toMatchObject({ void: 'no-history', requestId: 'r1' });
    expect(await next.find('a', window(30, 40), 1)).toMatchObject([{ void: 'no-history', state: 'queued' }]);
    await next.forget('r1');
    expect(await next.jobs()).toEqual([]);
  });

  it('knows every stream that it ever had, and what is open', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    expect(spool.stream('a')).toBeUndefined();
    spool.openStream('a', 'sequence');
    expect(spool.stream('a')).toEqual({ batchId: 'a', index: 'sequence' });
    const append = { start: 0, end: 5, readings: readingsIn(window(0, 5)) };
    await spool.commitWindows([{ batchId: 'a', index: 'sequence', closed: [], restart: false, append }]);
    expect(spool.stream('a')).toMatchObject({ open: window(0, 5) });
    expect(() => spool.openStream('a', 'time')).toThrowError(/batchId/);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(next.stream('a')).toEqual({ batchId: 'a', index: 'sequence' });
  });
});

describe('settings', () => {
  it('are JSON values that survive a restart', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    expect(await spool.getSetting('config')).toBeUndefined();
    await spool.putSetting('config', { a: [1, null] });
    const { spool: next } = await openTestSpool(store.restarted());
    expect(await next.getSetting('config')).toEqual({ a: [1, null] });
  });
});

describe('recovery of open windows', () => {
  const append = (start: number, from: number, end: number, last = end) => ({
    batchId: 'a',
    index: 'sequence' as const,
    closed: [],
    restart: false,
    append: { start, end, readings: readingsIn(window(from, last)) },
  });

  it('closes them at the last synced index and sends them as backlog', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([append(0, 0, 5)]);
    await spool.commitWindows([append(0, 5, 9)]);
    const { spool: next } = await openTestSpool(store.restarted());
    const taken = await takeAll(next, 'backlog');
    expect(idsOf(taken)).toEqual(['a;0-9']);
    expect(readingsOf(taken[0]!)).toEqual(readingsIn(window(0, 9)));
    expect(next.openStream('a', 'sequence')).toEqual({ floor: 9, continuity: 'proven', ageMs: 0 });
    expect(next.stats().recoveredWindows).toBe(1);
  });

  it('closes them once: a second start finds nothing more to close', async () => {
    const store = new MemoryStore();
    await (await openTestSpool(store)).spool.commitWindows([append(0, 0, 5)]);
    await openTestSpool(store);
    const { spool: third } = await openTestSpool(store.restarted());
    expect(idsOf(await takeAll(third, 'backlog'))).toEqual(['a;0-5']);
    expect(third.stats().recoveredWindows).toBe(0);
  });

  it('gives back readings beyond the stated end as windows of exactly their positions', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([append(0, 0, 5, 6)]);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(idsOf(await takeAll(next, 'backlog'))).toEqual([
      'a;0-5',
      expect.stringMatching(/^a;5-6;l[0-9a-f]{8}\.1\.[0-9a-f]{8};b$/),
    ]);
  });

  it('makes a hole, not a window, of a record that the store lost', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    for (const from of [0, 5, 10, 15]) await spool.commitWindows([append(0, from, from + 5)]);
    const lost = store.entries.filter((entry) => entry.key[0] === 'j'.charCodeAt(0))[1]!;
    store.damage(lost.key, () => undefined);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(idsOf(await takeAll(next, 'backlog'))).toEqual(['a;0-5', 'a;10-20']);
  });

  it('makes a hole of a damaged record, and counts it', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    for (const from of [0, 5, 10]) await spool.commitWindows([append(0, from, from + 5)]);
    const hurt = store.entries.filter((entry) => entry.key[0] === 'j'.charCodeAt(0))[2]!;
    store.damage(hurt.key, (value) => value.fill(0xff, 20, 24));
    const { spool: next } = await openTestSpool(store.restarted());
    expect(idsOf(await takeAll(next, 'backlog'))).toEqual(['a;0-10']);
    expect(next.stats().damaged).toBe(1);
  });
});

describe('a disk that refuses', () => {
  it('acknowledges nothing, tries the same again, and goes on when it can', async () => {
    for (const apply of [false, true]) {
      const store = new MemoryStore();
      const { spool, clock } = await openTestSpool(store);
      store.faults.failBatches = { count: 3, apply };
      let done = false;
      const commit = spool.commitWindows([change('a', [closed('a', window(0, 5))])]).then(() => {
        done = true;
      });
      await settle();
      expect(spool.stats()).toMatchObject({ state: 'failing', lanes: { live: { messages: 0 } } });
      expect(spool.stats().problem).toMatch(/told to fail/);
      await clock.advance(60);
      expect(done).toBe(false);
      await clock.advance(10_000);
      await commit;
      expect(spool.stats().state).toBe('ok');
      expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;0-5']);
      const { spool: next } = await openTestSpool(store.restarted());
      expect(idsOf(await takeAll(next, 'backlog'))).toEqual(['a;0-5']);
    }
  });

  it('keeps the order of what waits, in one later batch', async () => {
    const store = new MemoryStore();
    const { spool, clock } = await openTestSpool(store);
    store.faults.failBatches = { count: 2, apply: false };
    const commits = [0, 1, 2].map((n) => spool.commitWindows([change('a', [closed('a', window(n, n + 1))])]));
    await clock.advance(10_000);
    await Promise.all(commits);
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;0-1', 'a;1-2', 'a;2-3']);
  });

  it('lets go on close, and says that what waited was not written', async () => {
    const store = new MemoryStore();
    const { spool, clock } = await openTestSpool(store);
    store.faults.failBatches = { count: 1e9, apply: false };
    const commit = spool.commitWindows([change('a', [closed('a', window(0, 1))])]);
    const refused = expect(commit).rejects.toMatchObject({ code: 'spool-closed' });
    await clock.advance(500);
    await spool.close();
    await refused;
    await expect(spool.take('live', all)).rejects.toMatchObject({ code: 'spool-closed' });
  });

  it('never starts a lane behind entries whose deletion is not written yet', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store, { limits: { maxCommitBytes: 1 } });
    await spool.commitWindows([change('a', [closed('a', window(0, 1))])]);
    const taken = await spool.take('live', all);
    let batches = 0;
    const stuck = new Promise<void>(() => {});
    store.faults.beforeBatch = async () => {
      batches++;
      if (batches === 3) await stuck;
    };
    void spool.putSetting('first', 1);
    void spool.putSetting('second', 2);
    void spool.acknowledge(taken);
    await settle();
    expect(batches).toBe(3);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(await next.getSetting('second')).toBe(2);
    expect(next.depth('backlog').messages).toBe(1);
    expect(await takeAll(next, 'backlog')).toHaveLength(1);
  });

  it('never starts a lane behind entries that were on their way when the state was written', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await Promise.all([
      spool.commitWindows([change('a', [closed('a', window(0, 1))])]),
      spool.putSetting('x', 1),
      spool.save(job('r'), {
        voids: [{ batchId: 'a', index: 'sequence', window: window(5, 6), reason: 'evicted' }],
      }),
    ]);
    const { spool: next } = await openTestSpool(store.restarted());
    expect(idsOf(await takeAll(next, 'backlog'))).toEqual(['a;0-1']);
    expect(idsOf(await takeAll(next, 'backfill'))).toEqual(['a;5-6;v;b']);
  });
});
