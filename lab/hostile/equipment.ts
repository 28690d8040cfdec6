// The port of an adapter's test set: equipment with a line to it, the source that reads it, and the judge that knows its
// ground truth.
import type { Metrics } from '../../kernel/metrics.ts';
import type { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { MakeSource } from '../../runtime/adapters.ts';
import type { SourceConfig } from '../../runtime/config/schema.ts';
import type { WindowLimits } from '../../runtime/windows/windows-api.ts';
import type { Dice } from './dice.ts';
import type { Heard, Judge } from './judge/judge.ts';
import type { Fault } from './judge/verdict.ts';
import type { Plant } from './plant.ts';
import type { Trace } from './trace.ts';

/**
 * What must not happen both in one episode, for nobody could tell: a disk that forgot which positions were given, and
 * positions that the module itself gives (its own time; those of a counter that started anew).
 */
export interface Site {
  isRolledBack: boolean;
  /** The module has given positions of its own. */
  ownsPositions: boolean;
  /** Positions are numbers of a counter that comes round: on a disk that knows of no claim, the next round looks like the first. */
  comesRound: boolean;
  /** A disk came back from before this gateway's clock was set: nobody knows how long ago that was, or how far ahead the equipment is. */
  isAgeUnknown: boolean;
}

export interface EquipmentParts {
  readonly site: Site;
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly trace: Trace;
  readonly heard: Heard;
  readonly metrics: Metrics;
  readonly plant: Plant;
  readonly onFault: (fault: Fault) => void;
}

export interface Equipment {
  /** Names the kind, as `counted recorder by number`. */
  readonly kind: string;
  readonly settings: SourceConfig;
  readonly makeSource: MakeSource;
  readonly judge: Judge;
  /** Of windows, where the kind needs others than the episode's. */
  readonly limits?: WindowLimits;
  /** Requests, messages or services so far. */
  readonly exchanges: number;
  /** From now on equipment and line do as they should, or as they like. */
  behave(isHostile: boolean): void;
  /** Something happens to the equipment: its clock is set, its memory is cleared, its power fails. */
  act(): void;
  /** Longest time until the module is well again once the equipment is. */
  readonly recoveryMs: number;
  /** Its holes can be filled or declared lost in that time. False where the equipment may say things that prove nothing. */
  readonly isAnswerable: boolean;
}

export type MakeEquipment = (parts: EquipmentParts) => Equipment;
