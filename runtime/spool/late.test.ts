// Late windows claim nothing, so they are counted: a lost one is missed by its number alone.
import { cpSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { quickFolder } from '../../kernel/testing/quick-folder.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { LateNumbers } from '../../wire/late.ts';
import { parseMessage } from '../../wire/message.ts';
import { verifySpool } from '../cli/spool/verify.ts';
import type { Outgoing } from '../uplink/lanes.ts';
import { MemoryStore } from './engine/testing/memory-store.ts';
import { SpoolReader } from './repair/spool-reader.ts';
import { sourceOf } from './repair/testing/memory-source.ts';
import { openSpool, type Spool } from './spool.ts';
import { all, change, closed, openTestSpool, takeAll, window } from './testing/open-test-spool.ts';

const root = quickFolder('late');
afterAll(() => rmSync(root, { recursive: true, force: true }));

const lateAt = (start: number, batchId = 'a') => closed(batchId, window(start, start + 1), { late: true });
const commitLate = (spool: Spool, ...starts: readonly number[]) =>
  spool.commitWindows([
    change(
      'a',
      starts.map((start) => lateAt(start)),
    ),
  ]);
const said = ({ message: { properties } }: Outgoing) =>
  `${properties.startWindow} ${properties.lateNumber ?? ''} ${properties.lateThrough ?? ''}`.trim();
const numberOf = (entry: Outgoing) => {
  const parsed = parseMessage(entry.message.properties, {});
  return parsed.kind === 'late' ? parsed.late : undefined;
};
const job = (requestId: string) =>
  ({
    requestId,
    batchId: 'a',
    index: 'sequence',
    range: window(1, 9),
    state: 'running',
    covered: [],
    voids: [],
    createdAt: 0,
    updatedAt: 0,
  }) as const;

describe('late windows', () => {
  it('are counted by stream, and what comes with them or later says how far the count is', async () => {
    const { spool } = await openTestSpool();
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    await spool.commitWindows([
      change('a', [closed('a', window(10, 20)), lateAt(3), lateAt(5)]),
      change('b', [lateAt(7, 'b')]),
    ]);
    await spool.commitWindows([change('a', [lateAt(12), closed('a', window(20, 30))])]);
    const sent = await takeAll(spool, 'live');
    const series = numberOf(sent[1]!)!.series;
    const other = numberOf(sent[4]!)!.series;
    expect(other).not.toBe(series);
    expect(sent.map(said)).toEqual([
      '0',
      `3 ${series}.1`,
      `5 ${series}.2`,
      `10  ${series}.2`,
      `7 ${other}.1`,
      `12 ${series}.3`,
      `20  ${series}.3`,
    ]);
  });

  it('keep counting after a start: no number is ever given to two of them', async () => {
    let store = new MemoryStore();
    const numbers: string[] = [];
    for (let life = 0; life < 4; life++) {
      const { spool } = await openTestSpool(store, { random: seededRandom(life) });
      await commitLate(spool, life, life + 10);
      const sent = [...(await takeAll(spool, 'live')), ...(await takeAll(spool, 'backlog'))];
      numbers.push(...sent.map((entry) => numberOf(entry)!.number.toString()));
      await spool.acknowledge(sent);
      store = store.restarted();
    }
    expect(numbers).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
  });

  it('are found by number, sent or not, until retention removes them', async () => {
    const store = new MemoryStore();
    const { spool, clock } = await openTestSpool(store, {
      retention: { archiveMs: 5000, intervalMs: 1000 },
      freeBytes: async () => undefined,
    });
    await commitLate(spool, 3, 3, 9);
    const sent = await spool.take('live', { messages: 2, bytes: 1e9 });
    await spool.acknowledge(sent);
    const { series } = numberOf(sent[0]!)!;
    const find = (numbers: Partial<LateNumbers>, limit = 9) =>
      spool.findLate('a', { series, first: 1, last: 9, ...numbers }, limit);
    const states = (found: Awaited<ReturnType<typeof find>>) =>
      found.map(({ number, state }) => [number, state]);
    expect(states(await find({}))).toEqual([
      [1, 'archived'],
      [2, 'archived'],
      [3, 'queued'],
    ]);
    expect(states(await find({ first: 2 }, 1))).toEqual([[2, 'archived']]);
    expect(await find({ series: '' })).toEqual([]);
    expect(await find({ series: 'ffffffff' })).toEqual([]);
    expect((await spool.find('a', window(0, 5), 9)).map(({ late }) => late)).toEqual([true, true]);
    await clock.advance(10_000);
    expect(states(await find({}))).toEqual([[3, 'queued']]);
    expect([...verifySpool(new SpoolReader(sourceOf(store)))]).toEqual([]);
  });

  it('are sent again as late ones, with their number', async () => {
    const { spool } = await openTestSpool();
    await commitLate(spool, 3);
    const [sent] = await spool.take('live', all);
    await spool.acknowledge([sent!]);
    const [found] = await spool.findLate('a', { ...numberOf(sent!)!, first: 1, last: 1 }, 1);
    await spool.save(job('r1'), { requeue: [found!.id] });
    const [again] = await spool.take('backfill', all);
    expect(again!.message.properties).toEqual({ ...sent!.message.properties, requestId: 'r1' });
    expect(again!.message.messageId).toBe(sent!.message.messageId);
  });

  it('that are evicted unsent are declared by number, and claim no void', async () => {
    const store = new MemoryStore();
    const { spool, clock } = await openTestSpool(store, {
      retention: { unsentMs: 5000, archiveMs: 20_000, intervalMs: 1000 },
      freeBytes: async () => undefined,
      // Its history answers for windows; what came late lies in windows that nobody will ask it for.
      hasHistory: () => true,
    });
    await commitLate(spool, 3, 4);
    await spool.commitWindows([change('a', [closed('a', window(10, 20))])]);
    await commitLate(spool, 5);
    await clock.advance(8000);
    const sent = await takeAll(spool, 'live');
    expect(sent.map(({ message }) => parseMessage(message.properties, {}))).toEqual([
      expect.objectContaining({
        kind: 'late-void',
        reason: 'evicted',
        late: expect.objectContaining({ first: 1, last: 3 }),
      }),
    ]);
    expect([...verifySpool(new SpoolReader(sourceOf(store)))]).toEqual([]);
    await spool.acknowledge(sent);
    await clock.advance(40_000);
    expect(spool.stats().stored).toEqual({ messages: 0, bytes: 0 });
  });

  it('begin another count after damage that may have taken the last numbers', async () => {
    const open = (folder: string, seed: number) =>
      openSpool({
        folder,
        clock: new VirtualClock(),
        random: seededRandom(seed),
        log: silentLog,
        metrics: noMetrics,
        freeBytes: async () => 1e6,
      });
    const folder = join(root, 'whole');
    const spool = await open(folder, 1);
    await commitLate(spool, 3, 4);
    const before = numberOf((await takeAll(spool, 'live'))[1]!)!;
    await spool.close();
    const damaged = join(root, 'damaged');
    cpSync(folder, damaged, { recursive: true });
    const [manifest] = readdirSync(join(damaged, 'store')).filter((name) => name.startsWith('MANIFEST'));
    truncateSync(join(damaged, 'store', manifest!), 10);
    const next = await open(damaged, 2);
    await commitLate(next, 9);
    const after = numberOf((await takeAll(next, 'live'))[0]!)!;
    expect(after).toMatchObject({ number: 1 });
    expect(after.series).not.toBe(before.series);
    // Those of before are found by their own names all the same.
    expect(await next.findLate('a', { series: before.series, first: 1, last: 9 }, 9)).toHaveLength(2);
    await next.close();
  });
});
