import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { type FaultPatch, FaultState } from './faults.ts';

const make = (patch: FaultPatch) => {
  const state = new FaultState(seededRandom(1));
  state.merge(patch);
  return state;
};
const kinds = (state: FaultState, count: number, batchId?: string) =>
  Array.from({ length: count }, () => state.fateOf(batchId, 0).kind);

describe('the fate of a message', () => {
  test('is to be stored once, without faults', () => {
    expect(make({}).fateOf('press', 0)).toEqual({ kind: 'store', copies: 1 });
  });

  test('is lost for the next n, and then no more', () => {
    const state = make({ ackAndLose: { next: 3 } });
    expect(kinds(state, 5)).toEqual(['lose', 'lose', 'lose', 'store', 'store']);
    expect(state.current.ackAndLose).toBeUndefined();
  });

  test('is lost with a probability', () => {
    const lost = kinds(make({ ackAndLose: { probability: 0.25 } }), 2000).filter(
      (kind) => kind === 'lose',
    ).length;
    expect(lost).toBeGreaterThan(420);
    expect(lost).toBeLessThan(580);
  });

  test('hits only the stream that it names', () => {
    const state = make({ ackAndLose: { next: 1, batchId: 'press' } });
    expect(kinds(state, 2, 'boiler')).toEqual(['store', 'store']);
    expect(kinds(state, 2, 'press')).toEqual(['lose', 'store']);
  });

  test('follows outcomes, duplicates, cuts and quota', () => {
    expect(make({ duplicate: 1 }).fateOf('p', 0)).toEqual({ kind: 'store', copies: 2 });
    expect(kinds(make({ released: { next: 1 } }), 2)).toEqual(['released', 'store']);
    expect(make({ modified: true }).fateOf('p', 0)).toEqual({ kind: 'modified' });
    expect(make({ rejected: true, rejectCondition: 'amqp:not-allowed' }).fateOf('p', 0)).toMatchObject({
      kind: 'rejected',
      condition: 'amqp:not-allowed',
    });
    expect(make({ neverSettle: 'store' }).fateOf('p', 0)).toEqual({ kind: 'hold', store: true });
    expect(make({ cutOnTelemetry: { next: 1 } }).fateOf('p', 0)).toEqual({ kind: 'cut', store: false });
    expect(make({ quota: true }).fateOf('p', 0)).toMatchObject({ condition: 'amqp:resource-limit-exceeded' });
  });

  test('is throttled above a rate, and not below', () => {
    const state = make({ throttle: { perSecond: 10 } });
    const at = (ms: number) => state.fateOf('p', ms).kind;
    const burst = Array.from({ length: 20 }, () => at(1000));
    expect(burst.filter((kind) => kind === 'store')).toHaveLength(10);
    expect(Array.from({ length: 10 }, (_, n) => at(2000 + n * 100))).not.toContain('rejected');
  });
});

describe('faults', () => {
  test('merge, and null or false clears', () => {
    const state = make({ delayMs: 5, quota: true, stall: ['device'] });
    state.merge({ quota: null, delayMs: [1, 3] });
    expect(state.current).toEqual({ delayMs: [1, 3], stall: ['device'] });
    state.merge({ stall: false as never });
    expect(state.current).toEqual({ delayMs: [1, 3] });
    expect(state.delayMs()).toBeGreaterThanOrEqual(1);
    expect(state.delayMs()).toBeLessThanOrEqual(3);
  });

  test.each([
    [{ nonsense: true }, /unknown fault nonsense/],
    [{ refuse: ['moon'] }, /refuse must be/],
    [{ ackAndLose: { next: 'two' } }, /ackAndLose must be/],
    [{ throttle: 5 }, /throttle must be/],
    [{ delayMs: 'long' }, /delayMs must be/],
    [{ silent: ['cbs', 'moon'] }, /silent must be/],
    [[], /object/],
  ])('%j is refused and changes nothing', (patch, problem) => {
    const state = make({ quota: true });
    expect(() => state.merge(patch as never)).toThrow(problem);
    expect(state.current).toEqual({ quota: true });
  });

  test('a REST status counts down', () => {
    const state = make({ rest: { status: 429, next: 2 } });
    expect([state.restStatus(), state.restStatus(), state.restStatus()]).toEqual([429, 429, undefined]);
  });
});
