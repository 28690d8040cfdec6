// Group commit over a store that refuses when it is told to: what is written together, in which order, and what a
// refusal does.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { BatchOp } from '../engine/store.ts';
import { MemoryStore } from '../engine/testing/memory-store.ts';
import { Committer, type CommitterOptions } from './committer.ts';

const put = (key: string, value = 'x'): BatchOp => ({
  type: 'put',
  key: Buffer.from(key),
  value: Buffer.from(value),
});

function setUp(more: Partial<CommitterOptions> = {}) {
  const store = new MemoryStore();
  const clock = new VirtualClock(0);
  const written: string[] = [];
  const batch = store.batch.bind(store);
  store.batch = (ops, options) => {
    const keys = ops.map(({ key }) => Buffer.from(key).toString());
    written.push(`${keys.join(' ')}${options.sync ? ' !' : ''}`);
    return batch(ops, options);
  };
  const options = { maxBytes: 1000, retryMinMs: 100, retryMaxMs: 5000, trailer: () => [put('end')] };
  const common = { store, clock, random: seededRandom(1), log: silentLog, metrics: noMetrics };
  return { store, clock, written, committer: new Committer({ ...common, ...options, ...more }) };
}

const submit = (committer: Committer, key: string, sync = false) =>
  committer.submit({ ops: [put(key)], sync });

describe('a group commit', () => {
  it('writes what came meanwhile as one batch, synced if one of it asks for that', async () => {
    const { committer, written } = setUp();
    const first = submit(committer, 'a');
    await Promise.resolve();
    const rest = [submit(committer, 'b'), submit(committer, 'c', true), submit(committer, 'd')];
    await Promise.all([first, ...rest]);
    expect(written).toEqual(['a end', 'b c d end !']);
  });

  it('is bounded in bytes, but for a submission that alone is larger', async () => {
    const { committer, written } = setUp({ maxBytes: 10 });
    const first = submit(committer, 'a');
    const large = committer.submit({ ops: [put('large', 'x'.repeat(50))], sync: false });
    await Promise.all([first, large, submit(committer, 'b'), submit(committer, 'c')]);
    expect(written).toEqual(['a end', 'large end', 'b c end']);
  });

  it('ends with what belongs to all of it, and tells whether anything is left', async () => {
    const told: [number, boolean][] = [];
    const trailer: CommitterOptions['trailer'] = (deltas, drained) => {
      told.push([deltas.length, drained]);
      return [];
    };
    const { committer } = setUp({ maxBytes: 2, trailer });
    const delta = { damaged: 1 };
    const all = ['a', 'b', 'c'].map((key) => committer.submit({ ops: [put(key)], sync: false, delta }));
    await Promise.all(all);
    expect(told).toEqual([
      [1, false],
      [1, false],
      [1, true],
    ]);
  });

  it('lets the listener hear of a synced batch before anybody else does, and of no other', async () => {
    const order: string[] = [];
    const { committer } = setUp({ onSynced: async () => void order.push('synced') });
    await submit(committer, 'a').then(() => order.push('a'));
    await submit(committer, 'b', true).then(() => order.push('b'));
    expect(order).toEqual(['a', 'synced', 'b']);
  });
});

describe('a refused batch', () => {
  it.each([true, false])(
    'is repeated unchanged, whether it had taken effect (%s) or not, and later ones wait',
    async (apply) => {
      const { committer, store, clock, written } = setUp();
      store.faults.failBatches = { count: 3, apply };
      const first = submit(committer, 'a', true);
      await clock.advance(50);
      const second = submit(committer, 'b', true);
      expect(committer.problem?.since).toBe(0);
      expect(committer.pendingOps).toBe(2);
      await clock.advance(20_000);
      await Promise.all([first, second]);
      expect(written).toEqual(['a end !', 'a end !', 'a end !', 'a end !', 'b end !']);
      expect([committer.problem, committer.pendingOps, committer.batches]).toEqual([undefined, 0, 2]);
    },
  );

  it('calls for room each time, and goes on if that fails too', async () => {
    let calls = 0;
    const onFailure = async () => {
      calls++;
      throw new Error('no room either');
    };
    const { committer, store, clock } = setUp({ onFailure });
    store.faults.failBatches = { count: 2, apply: false };
    const done = submit(committer, 'a');
    await clock.advance(20_000);
    await done;
    expect(calls).toBe(2);
  });

  it('and a store that does not open again keep it waiting, without a loss', async () => {
    const { committer, store, clock } = setUp();
    store.faults.failBatches = { count: 1, apply: false };
    store.faults.failReopen = true;
    const done = submit(committer, 'a');
    await clock.advance(60_000);
    expect(committer.problem).toBeDefined();
    store.faults.failReopen = false;
    await clock.advance(10_000);
    await done;
    expect(await store.get(Buffer.from('a'))).toBeDefined();
  });
});

describe('a close', () => {
  it('waits for what was submitted', async () => {
    const { committer, written } = setUp();
    const done = submit(committer, 'a');
    await committer.close(1000);
    await done;
    expect(written).toEqual(['a end']);
    await expect(submit(committer, 'b')).rejects.toMatchObject({ code: 'spool-closed' });
  });

  it('gives up at once what the disk refuses, and says so', async () => {
    const { committer, store, clock } = setUp();
    store.faults.failBatches = { count: 1000, apply: false };
    const all = Promise.allSettled([submit(committer, 'a'), submit(committer, 'b')]);
    await clock.advance(10);
    await committer.close(1000);
    expect(await all).toMatchObject([
      { status: 'rejected', reason: { code: 'spool-closed' } },
      { status: 'rejected', reason: { code: 'spool-closed' } },
    ]);
  });
});
