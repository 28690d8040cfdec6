// Compares the server's clock, as its messages show it, with the time that passes here, to notice when it is set.
import type { Clock } from '../../../kernel/clock.ts';

/** Corrections of this size are usual for time synchronisation. */
const slackMs = 2000;
/** A clock that runs fast by more than 1,000 ppm is wrong. */
const drift = 1 / 1000;

export interface ClockStep {
  readonly reason: 'server-clock-went-back' | 'server-clock-jumped';
  /** By so much, at least. */
  readonly byMs: number;
}

export class PublishClock {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #last: number | undefined;
  /** Greatest lead over the time here so far: a message that was held up has less, and the next one may have it again. */
  #lead = Number.NEGATIVE_INFINITY;
  #at = 0;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** A message was published at this time. Undefined: no more than what passes. */
  step(publishedAt: number): ClockStep | undefined {
    const now = this.#clock.monotonic();
    const last = this.#last;
    const allowed = this.#lead + (now - this.#at) * drift;
    const lead = publishedAt - now;
    this.#last = publishedAt;
    const isBack = last !== undefined && publishedAt < last - slackMs;
    const isAhead = last !== undefined && lead > allowed + slackMs;
    this.#lead = isBack || last === undefined ? lead : Math.max(allowed, lead);
    this.#at = now;
    const byMs = Math.abs(lead - allowed);
    if (isBack) return { reason: 'server-clock-went-back', byMs };
    return isAhead ? { reason: 'server-clock-jumped', byMs } : undefined;
  }
}
