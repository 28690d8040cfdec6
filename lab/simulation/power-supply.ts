// One power supply for all storage of a simulated machine: index, log files, value files. It counts their operations, and
// goes off, or makes the disk refuse, at the n-th one, in whichever of them that is. So a simulation reaches every point
// between two steps of a batch, a checkpoint, a removal, a replay.
import { type Random, randomInt } from '../../kernel/random.ts';

export interface PowerCut {
  /** Cuts the power at the n-th operation from now, counted from 1. */
  readonly atOperation: number;
}

export interface DiskFault {
  /** Refuses the n-th operation from now, counted from 1. */
  readonly atOperation: number;
  readonly code: 'ENOSPC' | 'EIO';
  /** So many operations are refused in a row. Default 1. */
  readonly count?: number;
}

/** Nothing that was asked of a machine without power is ever answered. Each has its own: one for all would hold all who wait for it. */
export const silence = (): Promise<never> => new Promise(() => {});

export type Fate = 'done' | 'cut' | { readonly refused: NodeJS.ErrnoException };

export class PowerSupply {
  /** A disk that says that it has written what it has not: a planted fault. */
  isSyncFalse = false;
  /** Each operation waits for it first: a disk that is slow. */
  pause: (() => Promise<void>) | undefined;
  readonly #random: Random;
  #left = Number.POSITIVE_INFINITY;
  #faultIn = Number.POSITIVE_INFINITY;
  #faults = 0;
  #code: DiskFault['code'] = 'EIO';
  #dead = false;
  #operations = 0;
  #refusals = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get isDead(): boolean {
    return this.#dead;
  }
  get operations(): number {
    return this.#operations;
  }
  get refusals(): number {
    return this.#refusals;
  }
  /** It refused an operation, and will refuse the next one. */
  get isRefusing(): boolean {
    return this.#faultIn <= 0 && this.#faults > 0;
  }

  plan({ atOperation }: PowerCut): void {
    this.#left = atOperation;
  }

  planFault({ atOperation, code, count = 1 }: DiskFault): void {
    this.#faultIn = atOperation;
    this.#faults = count;
    this.#code = code;
  }

  /** What was planned, and what is left of it, is refused no more. */
  endFault(): void {
    this.#faults = 0;
  }

  /** A process that starts again has the same machine: what was planned for it, and did not happen yet, still comes. */
  goOnFrom(before: PowerSupply): void {
    [this.#faultIn, this.#faults, this.#code] = [before.#faultIn, before.#faults, before.#code];
    if (before.#left > 0) this.#left = before.#left;
  }

  cut(): void {
    this.#dead = true;
  }

  /** What becomes of the operation that begins now. After `cut` the power is gone; how far it came is a matter of luck. */
  async operation(): Promise<Fate> {
    // A disk takes its time, and others go on meanwhile.
    for (let turns = randomInt(this.#random, 3); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await this.pause?.();
    if (this.#dead) return silence();
    this.#operations++;
    if (--this.#left <= 0) {
      this.#dead = true;
      return 'cut';
    }
    if (--this.#faultIn > 0 || this.#faults <= 0) return 'done';
    this.#faults--;
    this.#refusals++;
    const error = new Error(`told to fail with ${this.#code}`) as NodeJS.ErrnoException;
    error.code = this.#code;
    return { refused: error };
  }

  /** The value, unless the power went before it was there. */
  async whilePowered<T>(work: () => T): Promise<T> {
    return this.#dead ? silence() : work();
  }
}
