// What the units of a line say of what is to be sent, and of what came (line-units.ts).
import type { Clock } from '../../../kernel/clock.ts';
import type { TiedAnswer } from '../line/exchange.ts';

export interface LineUnitsOptions {
  readonly clock: Clock;
  /**
   * Frames come from a line that others may use, or have used: before a unit's first answer is believed, it is proven to be
   * in step. False for a connection of our own.
   */
  readonly isLine: boolean;
  /** Answers carry the number of their request. */
  readonly hasIds: boolean;
  readonly minSilenceMs: number;
}

/** What to send before, or instead of, a request. */
export type LineStep =
  | { readonly kind: 'send' }
  /** `frame` first: what comes shows that the unit is there, and whether there is an echo; or that it is in step. */
  | { readonly kind: 'probe'; readonly frame: Buffer; readonly shows: 'life' | 'step' }
  /** Nothing, for the time being. */
  | { readonly kind: 'wait' };

/**
 * `seen`: it may be the answer, and so may another. `gave-up`: a gateway says that the unit did not answer it in time,
 * which is no answer, and proves nothing. `others`: somebody else is heard, so that no answer to this request can be
 * believed any more.
 */
export type Heard = TiedAnswer<Buffer, Buffer> | 'seen' | 'gave-up' | 'others' | 'nothing';
