import { describe, expect, it } from 'vitest';
import { type AdapterName, adapterNames, adapters } from './adapters.ts';
import { runEpisode } from './episode.ts';
import { seedOf } from './run.ts';

const seed = Number(process.env.HOLDFAST_SEED ?? 1);

describe('adapters against equipment that misbehaves', () => {
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
