// Rules on a disk that loses unsynced writes, cut off at any operation: each verdict is in its stream exactly once, each
// action has one outcome, and none is carried out after its deadline.
//
// HOLDFAST_SEED runs one seed; HOLDFAST_RULE_SEEDS sets how many.
import { expect, it } from 'vitest';
import { noRuleFacts, type RuleFacts, simulateRuleCrashes } from './rules-crashes.ts';

const one = process.env.HOLDFAST_SEED;
const count = one === undefined ? Number(process.env.HOLDFAST_RULE_SEEDS ?? 60) : 1;
const first = one === undefined ? 0 : Number(one);

it('a power cut anywhere loses no verdict, doubles none, and moves no machine late', {
  timeout: 300_000,
}, async () => {
  const totals = noRuleFacts();
  for (let seed = first; seed < first + count; seed++) {
    const facts = await simulateRuleCrashes(seed);
    for (const key of Object.keys(totals) as (keyof RuleFacts)[]) totals[key] += facts[key];
  }
  // The runs did meet what they are about.
  if (count < 50) return;
  expect(totals.cuts).toBeGreaterThan(count);
  expect(totals.holes).toBeLessThanOrEqual(totals.rows / 1000);
  expect(totals.steps).toBeGreaterThan(count);
  expect(totals.rows).toBeGreaterThan(count * 10);
  expect(totals.performed).toBeGreaterThan(count);
  expect(totals.repeated).toBeGreaterThan(0);
  expect(totals.notDone).toBeGreaterThan(0);
});
