import { describe, expect, it } from 'vitest';
import { adapters } from './adapters.ts';
import { runEpisode } from './episode.ts';
import { type PlantedFault, plantedFaults } from './faults/planted.ts';
import { seedOf } from './run.ts';

const exchanges = 200;
const mostEpisodes = 60;

/** Faults of its kind that an episode finds, with it and without it. */
async function findIn(fault: PlantedFault, seed: number, isPlanted: boolean): Promise<number> {
  const plant = isPlanted ? { plant: fault.plant } : {};
  const { faults } = await runEpisode({ seed, make: adapters[fault.adapter], exchanges, ...plant });
  return faults.filter(({ kind }) => kind === fault.foundAs).length;
}

describe('the hostile run can fail', () => {
  it('has at least 15 faults planted, of every kind that it counts', () => {
    expect(plantedFaults.length).toBeGreaterThanOrEqual(15);
    const kinds = new Set(plantedFaults.map(({ foundAs }) => foundAs));
    expect([...kinds].sort()).toEqual([
      'falseCoverage',
      'falseVoids',
      'missedBreaks',
      'stuck',
      'wrongValues',
    ]);
  });

  it.each(plantedFaults)('$adapter: $name ($foundAs)', { timeout: 60_000 }, async (fault) => {
    const others = Array.from({ length: mostEpisodes }, (_, episode) => seedOf(fault.adapter, 1, episode));
    for (const seed of [...(fault.seeds ?? []), ...others]) {
      const found = await findIn(fault, seed, true);
      // It is the planted one that was found: without it nothing is.
      if (found > 0 && (await findIn(fault, seed, false)) === 0) return;
    }
    expect.fail(`not found in ${mostEpisodes} episodes`);
  });
});
