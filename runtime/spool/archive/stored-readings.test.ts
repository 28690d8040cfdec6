// What rules begin from.
import { describe, expect, it } from 'vitest';
import { settle } from '../../../kernel/testing/virtual-clock.ts';
import { MemoryStore } from '../engine/testing/memory-store.ts';
import { change, closed, openTestSpool, readingsIn, takeAll, window } from '../testing/open-test-spool.ts';

describe('notes that are given to a commit', () => {
  it('are on the disk with it, or not at all', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    const notes = new Map<string, unknown>([
      ['rules.hot.state', { watermark: 5 }],
      ['rules.hot.intent.1', { id: '1' }],
    ]);
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])], notes);
    let go = () => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    store.faults.beforeBatch = () => held;
    const done = spool.commitWindows(
      [change('a', [closed('a', window(10, 20))])],
      new Map<string, unknown>([
        ['rules.hot.state', { watermark: 9 }],
        ['rules.hot.intent.1', undefined],
      ]),
    );
    await settle();
    expect(await spool.rules.settings('rules.', 10)).toEqual(notes);
    expect(spool.stats().streams).toMatchObject([{ floor: 10 }]);
    go();
    await done;
    expect([...(await spool.rules.settings('rules.', 10))]).toEqual([['rules.hot.state', { watermark: 9 }]]);
    expect(await spool.rules.settings('rules.hot.intent.', 10)).toEqual(new Map());
    expect((await spool.rules.settings('rule', 0)).size).toBe(0);
  });
});

describe('readings that were sent ahead of the window that claims them', () => {
  it('come with that window, and until then by themselves; what came late to it does not', async () => {
    const { spool } = await openTestSpool();
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    const ahead = closed('a', window(10, 12), { late: true });
    await spool.commitWindows([{ ...change('a', [ahead]), floor: 10, seen: 12 }]);
    expect((await spool.rules.ahead('a')).readings).toEqual(readingsIn(window(10, 12)));
    const empty = closed('a', window(10, 20));
    await spool.commitWindows([change('a', [{ ...empty, batch: { ...empty.batch, readings: [] } }])]);
    await spool.commitWindows([change('a', [closed('a', window(15, 17), { late: true })])]);
    const [, found] = await spool.rules.batches('a', { start: 0, end: 100 }, 10);
    expect(found).toMatchObject({ window: window(10, 20), readings: readingsIn(window(10, 12)) });
    expect(await spool.rules.ahead('a')).toEqual({ readings: [] });
  });

  it('and any number of late windows keeps none that claims from being found', async () => {
    const { spool } = await openTestSpool();
    for (let at = 0; at < 30; at++)
      await spool.commitWindows([change('a', [closed('a', window(at, at + 1), { late: true })])]);
    await spool.commitWindows([change('a', [closed('a', window(40, 50))])]);
    const found = await spool.rules.batches('a', { start: 0, end: 100 }, 10);
    expect(found.map((batch) => batch.window)).toEqual([window(40, 50)]);
  });
});

describe('stored windows', () => {
  it('come back with their readings, sent or not, without late ones and other streams', async () => {
    const { spool } = await openTestSpool();
    const large = closed('a', window(100, 30_000));
    await spool.commitWindows([change('a', [closed('a', window(0, 10)), closed('a', window(10, 20))])]);
    await spool.commitWindows([change('b', [closed('b', window(5, 6))])]);
    await spool.commitWindows([change('a', [closed('a', window(15, 17), { late: true })])]);
    await spool.commitWindows([change('a', [closed('a', window(20, 20 + 1), { to: 'archive' }), large])]);
    await spool.acknowledge((await takeAll(spool, 'live')).slice(0, 1));
    const found = await spool.rules.batches('a', { start: 5, end: 200 }, 10);
    expect(found.map((batch) => batch.window)).toEqual([
      window(0, 10),
      window(10, 20),
      window(20, 21),
      window(100, 30_000),
    ]);
    expect(found[1]!.readings).toEqual(readingsIn(window(10, 20)));
    // One that needs several messages is whole.
    expect(found[3]!.readings).toEqual(readingsIn(window(100, 30_000)));
    expect(await spool.rules.batches('a', { start: 0, end: 100 }, 2)).toHaveLength(2);
    expect(found[1]!.readings).toHaveLength(readingsIn(window(10, 20)).length);
    expect(await spool.rules.batches('nobody', { start: 0, end: 100 }, 2)).toEqual([]);
  });
});
