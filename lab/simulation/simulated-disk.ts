// The storage of a simulated machine, under one supply of power: either one ordered store, or the three parts of the
// engine. A simulated run uses it from one start to the next.
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import { openEngine } from '../../runtime/spool/engine/engine.ts';
import type { EngineLimits } from '../../runtime/spool/engine/limits.ts';
import type { Store } from '../../runtime/spool/engine/store.ts';
import { spoolKeySpaces } from '../../runtime/spool/format/spool-engine.ts';
import { PowerLossFiles } from './power-loss-files.ts';
import { PowerLossStore } from './power-loss-store.ts';
import { PowerSupply } from './power-supply.ts';
import type { Survival } from './survival.ts';

export interface SimulatedDisk {
  readonly supply: PowerSupply;
  /** @throws Error when the store reports damage: there is none. */
  open(): Promise<Store>;
  /** What the next start finds after a power cut. */
  survivor(): Promise<SimulatedDisk>;
  /** What it finds when only the process ended. */
  restarted(): Promise<SimulatedDisk>;
}

export function singleStoreDisk(random: Random): SimulatedDisk {
  const supply = new PowerSupply(random);
  const diskOf = (store: PowerLossStore, power: PowerSupply): SimulatedDisk => ({
    supply: power,
    open: async () => store,
    survivor: () => next((fresh) => store.survivor(fresh)),
    restarted: () => next((fresh) => store.restarted(fresh)),
  });
  const next = async (make: (fresh: PowerSupply) => Promise<PowerLossStore>) => {
    const fresh = new PowerSupply(random);
    return diskOf(await make(fresh), fresh);
  };
  return diskOf(new PowerLossStore({ random, supply }), supply);
}

interface EngineParts {
  readonly index: PowerLossStore;
  readonly wal: PowerLossFiles;
  readonly values: PowerLossFiles;
}

export class EngineDisk implements SimulatedDisk {
  readonly supply: PowerSupply;
  readonly wal: PowerLossFiles;
  readonly values: PowerLossFiles;
  readonly index: PowerLossStore;
  readonly #random: Random;
  readonly #limits: Partial<EngineLimits>;
  /** Bits of it have turned: damage that is found is no false alarm. */
  #isDamaged = false;

  /** What turned out damaged when it was opened last. */
  problem: string | undefined;

  constructor(
    random: Random,
    limits: Partial<EngineLimits>,
    found?: { supply: PowerSupply; parts: EngineParts },
  ) {
    this.#random = random;
    this.#limits = limits;
    this.supply = found?.supply ?? new PowerSupply(random);
    const { supply } = this;
    this.index = found?.parts.index ?? new PowerLossStore({ random, supply, holes: true });
    this.wal = found?.parts.wal ?? new PowerLossFiles(random, supply);
    this.values = found?.parts.values ?? new PowerLossFiles(random, supply);
  }

  async open(): Promise<Store> {
    const { index, wal, values } = this;
    const { store, problem } = await openEngine({
      index,
      wal,
      values,
      spaces: spoolKeySpaces,
      limits: this.#limits,
    });
    if (problem !== undefined && !this.#isDamaged) throw new Error(`false alarm: ${problem}`);
    this.problem = problem;
    return store;
  }

  /** Bits turn in the log and in the values. The index is LevelDB's, which sums its own blocks. */
  flipBits(count: number): void {
    for (let n = 0; n < count; n++)
      this.#isDamaged =
        (randomInt(this.#random, 2) === 0 ? this.wal : this.values).flipBit() || this.#isDamaged;
  }

  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  /** Default: what is on the disk is a matter of luck. */
  async survivor(survival?: Survival): Promise<EngineDisk> {
    const supply = new PowerSupply(this.#random);
    // The index first: what was under way may still reach the others meanwhile, and no index is ahead of its values.
    const index = await this.index.survivor(supply, survival);
    const wal = this.wal.survivor(supply, survival);
    const values = this.values.survivor(supply, survival);
    return this.#next(supply, { index, wal, values }, this.#limits);
  }

  /** `limits`: those of another version. */
  async restarted(limits = this.#limits): Promise<EngineDisk> {
    const supply = new PowerSupply(this.#random);
    const index = await this.index.restarted(supply);
    const parts = { index, wal: this.wal.restarted(supply), values: this.values.restarted(supply) };
    return this.#next(supply, parts, limits);
  }

  #next(supply: PowerSupply, parts: EngineParts, limits: Partial<EngineLimits>): EngineDisk {
    const next = new EngineDisk(this.#random, limits, { supply, parts });
    next.#isDamaged = this.#isDamaged;
    return next;
  }
}

/** So small that a short run has many checkpoints, segments used again, segments emptied and segments rewritten. */
export const smallLimits: EngineLimits = {
  walSegmentBytes: 2000,
  walPreallocateBytes: 300,
  walSpareSegments: 1,
  valueSegmentBytes: 1200,
  minValueBytes: 60,
  directValueBytes: 700,
  checkpointBytes: 3000,
  memtableBytes: 1000,
  gcBatchBytes: 500,
};

/** Sizes that differ from run to run. */
export function limitsFor(seed: number): EngineLimits {
  const random = seededRandom(seed * 31 + 7);
  const scale = (value: number) => Math.max(1, Math.round(value * (0.3 + random.next() * 2.5)));
  return {
    walSegmentBytes: scale(smallLimits.walSegmentBytes),
    walPreallocateBytes: scale(smallLimits.walPreallocateBytes),
    walSpareSegments: Math.floor(random.next() * 3),
    valueSegmentBytes: scale(smallLimits.valueSegmentBytes),
    minValueBytes: scale(smallLimits.minValueBytes),
    directValueBytes: scale(smallLimits.directValueBytes),
    checkpointBytes: scale(smallLimits.checkpointBytes),
    memtableBytes: scale(smallLimits.memtableBytes),
    gcBatchBytes: scale(smallLimits.gcBatchBytes),
  };
}
