// What a pass over the blocks of a plan gives, and what it is made with (block-reader.ts).
import type { Clock } from '../../../kernel/clock.ts';
import type { HoldfastError } from '../../../kernel/errors.ts';
import type { LearnedStore } from '../learned.ts';
import type { Block, Item, PlanLimits } from './read-plan.ts';

export interface BlockData<I extends Item> {
  readonly block: Block<I>;
  readonly bytes: Buffer;
}

export interface Refusal {
  /** The exception's name, as it goes into a quality. */
  readonly reason: string;
  /** The error, where the request failed in this pass. */
  readonly error?: HoldfastError;
}

export interface BlockReaderOptions<I extends Item> {
  readonly unit: number;
  readonly items: readonly I[];
  /** The item whose block is read before all others. */
  readonly first?: I;
  readonly limits: PlanLimits;
  readonly refusedRetryMs: number;
  readonly clock: Clock;
  /** What the device was found to refuse before, by place. */
  readonly learned?: LearnedStore | undefined;
  /** Called when an item turns out to be refused, and (without a reason) when it may no longer be. */
  readonly onRefusal?: (item: I, reason: string | undefined) => void;
}

export interface ReadPass<I extends Item> {
  readonly data: readonly BlockData<I>[];
  /** Items without a value, with what the device said. */
  readonly missing: ReadonlyMap<I, Refusal>;
  /** The registers have been missing for long enough that a retry will not give them. */
  readonly isCertain: boolean;
  /** The plan changed on the way: the order in which blocks were read was not the plan's. */
  readonly isLearning: boolean;
}
