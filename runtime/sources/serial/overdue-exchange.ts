// An exchange that timed out: it takes its late answer, so that no other exchange does, until its end comes after all or
// the line has been silent for as long again.
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { RunningExchange, Taken } from './exchange.ts';

export interface OverdueOptions {
  readonly running: RunningExchange;
  /** Silence after which nothing comes any more, as far as anyone can tell. */
  readonly quietMs: number;
  readonly clock: Clock;
  /**
   * When the last byte came, monotonic; undefined where others talk on the line as well, so that only what is taken
   * says anything.
   */
  readonly lastByteAt: () => number | undefined;
  /** Once. */
  readonly onOver: () => void;
}

/** Longest wait of an exchange that has no limit of its own, in its `timeoutMs`. */
const defaultTimeouts = 4;

export class OverdueExchange {
  readonly running: RunningExchange;
  readonly #options: OverdueOptions;
  readonly #limitAt: number;
  #takenAt: number;
  #timer: Timer | undefined;

  constructor(options: OverdueOptions) {
    this.running = options.running;
    this.#options = options;
    const { timeoutMs, limitMs = defaultTimeouts * timeoutMs } = options.running.exchange;
    this.#takenAt = options.clock.monotonic();
    this.#limitAt = this.#takenAt + limitMs + options.quietMs;
    this.#watch();
  }

  offer(content: Buffer): Taken {
    const now = this.#options.clock.monotonic();
    let taken: Taken = 'last';
    try {
      taken = this.running.take(content, now);
    } catch {
      // A refusal is an answer, too.
    }
    if (taken === 'other') return 'other';
    this.#takenAt = now;
    if (taken === 'last') this.#end();
    return taken;
  }

  close(): void {
    this.#timer?.cancel();
  }

  #watch(): void {
    const { clock, lastByteAt, quietMs } = this.#options;
    const quietSince = Math.max(this.#takenAt, lastByteAt() ?? this.#takenAt);
    const leftMs = Math.min(quietSince + quietMs, this.#limitAt) - clock.monotonic();
    if (leftMs > 0) this.#timer = clock.setTimer(leftMs, () => this.#watch());
    else this.#end();
  }

  #end(): void {
    this.#timer?.cancel();
    this.#options.onOver();
  }
}
