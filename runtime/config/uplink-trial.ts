// A change of how the hub is reached is on trial: a module that was connected and, with the new settings, is not for
// a while goes back to what it had, or a slip in the twin would cut it off from every correction.
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { LastGood } from './last-good.ts';

export interface UplinkTrialOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly trialMs: number;
  readonly isConnected: () => boolean;
  readonly onPassed: () => void;
  /** The hub was not reached in time. */
  readonly onExpired: (fallback: LastGood) => void;
}

const lookMs = 1000;

export class UplinkTrial {
  readonly #options: UplinkTrialOptions;
  #current: { readonly fallback: LastGood; readonly timer: Timer } | undefined;

  constructor(options: UplinkTrialOptions) {
    this.#options = options;
  }

  /** The configuration that the current trial would go back to. */
  get fallback(): LastGood | undefined {
    return this.#current?.fallback;
  }

  begin(fallback: LastGood): void {
    const { clock, trialMs, log, isConnected } = this.#options;
    this.cancel();
    log.info({ trialMs }, 'the way to the hub has changed: on trial');
    const endAt = clock.monotonic() + trialMs;
    const look = () => {
      // Once connected is enough: that it is lost later says nothing of the settings.
      if (isConnected()) {
        this.#current = undefined;
        this.#options.onPassed();
      } else if (clock.monotonic() >= endAt) {
        this.#current = undefined;
        this.#options.onExpired(fallback);
      } else this.#current = { fallback, timer: clock.setTimer(lookMs, look) };
    };
    this.#current = { fallback, timer: clock.setTimer(lookMs, look) };
  }

  cancel(): void {
    this.#current?.timer.cancel();
    this.#current = undefined;
  }
}
