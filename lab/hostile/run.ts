// Runs episodes of one adapter until a given number of exchanges is reached, and sums up the findings.
import { type AdapterName, adapterNames, adapters } from './adapters.ts';
import { type EpisodeResult, runEpisode } from './episode.ts';
import { addCounts, countFaults, type FaultCounts } from './judge/verdict.ts';
import type { Plant } from './plant.ts';

export interface RunOptions {
  readonly adapter: AdapterName;
  readonly seed: number;
  readonly exchanges: number;
  readonly plant?: Plant;
  /** It ends at the first episode that finds something. */
  readonly stopsAtFault?: boolean;
  readonly onEpisode?: (result: EpisodeResult) => void;
}

export interface RunResult {
  readonly exchanges: number;
  readonly readings: number;
  readonly counts: FaultCounts;
  readonly episodes: number;
  /** Seeds of episodes that found something, and how long these were. */
  readonly failed: readonly { readonly seed: number; readonly exchanges: number }[];
}

/** Long enough for several bad times, short enough to be read. */
export const episodeExchanges = 400;

export async function runAdapter(options: RunOptions): Promise<RunResult> {
  const { adapter, seed, plant, stopsAtFault = false, onEpisode } = options;
  let counts = countFaults([]);
  let [exchanges, readings, episodes] = [0, 0, 0];
  const failed: { seed: number; exchanges: number }[] = [];
  while (exchanges < options.exchanges) {
    const result = await runEpisode({
      seed: seedOf(adapter, seed, episodes),
      make: adapters[adapter],
      exchanges: Math.min(episodeExchanges, options.exchanges - exchanges),
      ...(plant && { plant }),
    });
    onEpisode?.(result);
    episodes += 1;
    exchanges += result.exchanges;
    readings += result.readings;
    counts = addCounts(counts, countFaults(result.faults));
    if (result.faults.length > 0) failed.push({ seed: result.seed, exchanges: result.exchanges });
    if (stopsAtFault && failed.length > 0) break;
  }
  return { exchanges, readings, counts, episodes, failed };
}

/** Of episode number `episode` of the run with `seed`. Seeds of a run are far from those of the next, and of other adapters. */
export function seedOf(adapter: AdapterName, seed: number, episode: number): number {
  return (seed * 1_000_003 + adapterNames.indexOf(adapter) * 100_003 + episode) % 2 ** 31;
}

/** The same episode, ended as early as it can be with something found. */
export async function shorten(adapter: AdapterName, seed: number, exchanges: number): Promise<EpisodeResult> {
  const run = (limit: number) => runEpisode({ seed, make: adapters[adapter], exchanges: limit });
  let best = await run(exchanges);
  let low = 0;
  let high = exchanges;
  while (high - low > 10) {
    const middle = Math.floor((low + high) / 2);
    const result = await run(middle);
    if (result.faults.length > 0) [best, high] = [result, middle];
    else low = middle;
  }
  return best;
}
