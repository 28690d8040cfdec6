// What a spool's machine has to store things, under one supply of power: either one ordered store, or the three
// parts of the split store. A story runs on it life by life.
import { type Random, seededRandom } from '../../kernel/random.ts';
import { openSplitStore } from '../../runtime/spool/engine/engine.ts';
import type { SplitLimits } from '../../runtime/spool/engine/limits.ts';
import type { Store } from '../../runtime/spool/engine/store.ts';
import { PowerLossFiles } from './power-loss-files.ts';
import { PowerLossStore } from './power-loss-store.ts';
import { PowerSupply } from './power-supply.ts';

export interface SimulatedDisk {
  readonly supply: PowerSupply;
  /** @throws Error when the store reports damage: there is none. */
  open(): Promise<Store>;
  /** What the next life finds after a power cut. */
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

interface SplitParts {
  readonly index: PowerLossStore;
  readonly log: PowerLossFiles;
  readonly bodies: PowerLossFiles;
}

export class SplitDisk implements SimulatedDisk {
  readonly supply: PowerSupply;
  readonly log: PowerLossFiles;
  readonly bodies: PowerLossFiles;
  readonly index: PowerLossStore;
  readonly #random: Random;
  readonly #limits: Partial<SplitLimits>;

  constructor(
    random: Random,
    limits: Partial<SplitLimits>,
    found?: { supply: PowerSupply; parts: SplitParts },
  ) {
    this.#random = random;
    this.#limits = limits;
    this.supply = found?.supply ?? new PowerSupply(random);
    const { supply } = this;
    this.index = found?.parts.index ?? new PowerLossStore({ random, supply, holes: true });
    this.log = found?.parts.log ?? new PowerLossFiles(random, supply);
    this.bodies = found?.parts.bodies ?? new PowerLossFiles(random, supply);
  }

  async open(): Promise<Store> {
    const { index, log, bodies } = this;
    const { store, problem } = await openSplitStore({ index, log, bodies, limits: this.#limits });
    if (problem !== undefined) throw new Error(`false alarm: ${problem}`);
    return store;
  }

  async survivor(): Promise<SplitDisk> {
    const supply = new PowerSupply(this.#random);
    const index = await this.index.survivor(supply);
    const parts = { index, log: this.log.survivor(supply), bodies: this.bodies.survivor(supply) };
    return new SplitDisk(this.#random, this.#limits, { supply, parts });
  }

  async restarted(): Promise<SplitDisk> {
    const supply = new PowerSupply(this.#random);
    const index = await this.index.restarted(supply);
    const parts = { index, log: this.log.restarted(supply), bodies: this.bodies.restarted(supply) };
    return new SplitDisk(this.#random, this.#limits, { supply, parts });
  }
}

/** So small that a short story meets many checkpoints, files used again, files emptied and files moved out of. */
export const smallLimits: SplitLimits = {
  logFileBytes: 2000,
  aheadBytes: 300,
  spareFiles: 1,
  bodyFileBytes: 1200,
  minBodyBytes: 60,
  directBytes: 700,
  checkpointBytes: 3000,
  lateBytes: 1000,
  moveBytes: 500,
};

/** Sizes that differ from story to story. */
export function limitsFor(seed: number): SplitLimits {
  const random = seededRandom(seed * 31 + 7);
  const scale = (value: number) => Math.max(1, Math.round(value * (0.3 + random.next() * 2.5)));
  return {
    logFileBytes: scale(smallLimits.logFileBytes),
    aheadBytes: scale(smallLimits.aheadBytes),
    spareFiles: Math.floor(random.next() * 3),
    bodyFileBytes: scale(smallLimits.bodyFileBytes),
    minBodyBytes: scale(smallLimits.minBodyBytes),
    directBytes: scale(smallLimits.directBytes),
    checkpointBytes: scale(smallLimits.checkpointBytes),
    lateBytes: scale(smallLimits.lateBytes),
    moveBytes: scale(smallLimits.moveBytes),
  };
}
