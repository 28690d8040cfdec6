// The engine on parts that lose what was not synced, cut off at thousands of points.
//
// HOLDFAST_SEED runs one seed, and tells what happens with HOLDFAST_TELL=1; HOLDFAST_SEEDS sets how many.
import { describe, expect, it } from 'vitest';
import { type EngineCrashFacts, simulateEngineCrashes } from './engine-crashes.ts';

const one = process.env.HOLDFAST_SEED;
const count = one === undefined ? Number(process.env.HOLDFAST_SEEDS ?? 250) : 1;
const tell = process.env.HOLDFAST_TELL === undefined ? {} : { tell: (line: string) => console.log(line) };

async function runAll(from: number, faults: boolean): Promise<EngineCrashFacts> {
  const totals: Record<string, number> = {};
  const first = one === undefined ? from : Number(one);
  for (let seed = first; seed < first + count; seed++) {
    const facts = await simulateEngineCrashes(seed, { faults, ...tell });
    for (const [key, value] of Object.entries(facts)) {
      totals[key] = key.startsWith('most') ? Math.max(totals[key] ?? 0, value) : (totals[key] ?? 0) + value;
    }
  }
  return totals as unknown as EngineCrashFacts;
}

describe('the engine', { timeout: 300_000 }, () => {
  it('keeps what it promised, and what it did not promise as a prefix, wherever the power goes', async () => {
    const facts = await runAll(0, false);
    if (count < 100) return;
    // The runs did meet what they are about.
    expect(facts.cuts).toBeGreaterThan(count * 2);
    expect(facts.cutsInRecovery).toBeGreaterThan(count / 10);
    expect(facts.promises).toBeGreaterThan(count * 20);
    expect(facts.undone).toBeGreaterThan(count / 10);
    expect(facts.mostValueSegments).toBeGreaterThan(3);
    expect(facts.mostWalSegments).toBeGreaterThan(2);
  });

  it('keeps it on a disk that refuses now and then, and loses its power too', async () => {
    const facts = await runAll(1_000_000, true);
    if (count < 100) return;
    expect(facts.refusals).toBeGreaterThan(count);
    expect(facts.reopenings).toBeGreaterThan(count);
  });
});
