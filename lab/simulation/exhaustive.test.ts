// HOLDFAST_EXHAUSTIVE=1 cuts the power at each operation; otherwise at some of them.
import { describe, expect, it } from 'vitest';
import { runExhaustively } from './exhaustive.ts';

const everyCut = process.env.HOLDFAST_EXHAUSTIVE === undefined ? 25 : 1;

describe('one workload, cut off at its operations, with each unsynced write lost, torn or early', () => {
  it('breaks no promise in any state of the disk', { timeout: 900_000 }, async () => {
    const facts = await runExhaustively({ everyCut, firstCut: 3 });
    expect(facts.operations).toBeGreaterThan(100);
    expect(facts.promises).toBeGreaterThan(10);
    expect(facts.states).toBeGreaterThan(facts.operations / everyCut);
  });

  it('finds a disk that says that it has written what it has not', { timeout: 60_000 }, async () => {
    const run = runExhaustively({ everyCut: 10, firstCut: 60, isSyncFalse: true });
    await expect(run).rejects.toThrow(/cut at operation \d+, /);
  });
});
