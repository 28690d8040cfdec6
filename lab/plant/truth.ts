// The ground truth: which samples were ever made, and when. The values follow from seed, unit and number
// (sample.ts), so only the time stamps are kept, as runs of evenly spaced ones: a run ends where the clock
// stepped or scans were missed, so days of normal running are one entry.
import { sampleAt, type TagValues, tagValues } from './sample.ts';

export interface TruthSample {
  readonly unit: number;
  readonly number: number;
  /** What the equipment's clock said, epoch ms. Goes back only where that clock was stepped back. */
  readonly timestamp: number;
  readonly values: TagValues;
}

/** Half-open in both; absent means unbounded. */
export interface TruthQuery {
  readonly from?: number;
  readonly to?: number;
  readonly fromNumber?: number;
  readonly toNumber?: number;
}

export interface TruthOptions {
  readonly seed: number;
  readonly unit: number;
  readonly stepMs: number;
  /** Runs kept; the oldest is forgotten first, and counted. Default 10,000. */
  readonly maxRuns?: number;
}

interface Run {
  readonly number: number;
  readonly timestamp: number;
  count: number;
}

export class Truth {
  readonly #options: TruthOptions;
  readonly #runs: Run[] = [];
  #forgotten = 0;

  constructor(options: TruthOptions) {
    this.#options = options;
  }

  /** Samples that are no longer kept: not zero means the account cannot be complete. */
  get forgotten(): number {
    return this.#forgotten;
  }

  add(number: number, timestamp: number): void {
    const last = this.#runs.at(-1);
    const isNext =
      last !== undefined &&
      number === last.number + last.count &&
      timestamp === last.timestamp + last.count * this.#options.stepMs;
    if (isNext) {
      last.count += 1;
      return;
    }
    this.#runs.push({ number, timestamp, count: 1 });
    if (this.#runs.length > (this.#options.maxRuns ?? 10_000)) {
      this.#forgotten += this.#runs.shift()?.count ?? 0;
    }
  }

  /** In order of record numbers. */
  *samples(query: TruthQuery = {}): Generator<TruthSample> {
    const { seed, unit, stepMs } = this.#options;
    const { from = -Infinity, to = Infinity, fromNumber = -Infinity, toNumber = Infinity } = query;
    for (const run of this.#runs) {
      const first = Math.max(0, fromNumber - run.number, Math.ceil((from - run.timestamp) / stepMs));
      const end = Math.min(run.count, toNumber - run.number, Math.ceil((to - run.timestamp) / stepMs));
      for (let i = first; i < end; i++) {
        const number = run.number + i;
        const values = tagValues(sampleAt(seed, unit, number));
        yield { unit, number, timestamp: run.timestamp + i * stepMs, values };
      }
    }
  }
}
