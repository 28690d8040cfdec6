import { describe, expect, it } from 'vitest';
import { type AdapterName, adapterNames, adapters } from './adapters.ts';
import { type EpisodeResult, runEpisode } from './episode.ts';
import { countFaults } from './judge/verdict.ts';
import { runAdapter, seedOf } from './run.ts';

const exchanges = Number(process.env.HOLDFAST_EXCHANGES ?? 2000);
const seed = Number(process.env.HOLDFAST_SEED ?? 1);

describe('adapters against equipment that misbehaves', () => {
  it.each(adapterNames)('%s claims nothing that is not so', { timeout: 120_000 }, async (adapter) => {
    const failed: string[] = [];
    const onEpisode = ({ seed: episode, kind, faults }: EpisodeResult) => {
      if (faults[0]) failed.push(`episode ${episode} (${kind}): ${faults[0].kind}: ${faults[0].what}`);
    };
    const result = await runAdapter({ adapter, seed, exchanges, onEpisode });
    expect(failed).toEqual([]);
    expect(result.counts).toEqual(countFaults([]));
    expect(result.exchanges).toBeGreaterThanOrEqual(exchanges);
    expect(result.readings).toBeGreaterThan(exchanges / 10);
  });

  it.each(adapterNames)('%s does the same again from the same seed', async (adapter: AdapterName) => {
    const run = async () => {
      const { lines, ...facts } = await runEpisode({
        seed: seedOf(adapter, seed, 3),
        make: adapters[adapter],
        exchanges: 200,
      });
      return { ...facts, lines: lines(2000) };
    };
    expect(await run()).toEqual(await run());
  });
});
