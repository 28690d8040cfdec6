// Reports when a line has been silent for as long as its framing requires.
import type { Clock, Timer } from '../../../kernel/clock.ts';
import { pendingInputMs } from './line-quiet.ts';

export interface GapWatchOptions {
  readonly clock: Clock;
  /** How long a silence means something just now. */
  gapMs(): number;
  /** When the last byte came, monotonic. */
  lastByteAt(): number;
  onSilent(): void;
}

export class GapWatch {
  readonly #options: GapWatchOptions;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: GapWatchOptions) {
    this.#options = options;
  }

  /** The silence after what came last is to be told, once. */
  watch(): void {
    if (!this.#timer) this.#again(this.#options.gapMs());
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #again(delayMs: number, isLooked = false): void {
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#check(isLooked));
  }

  #check(isLooked: boolean): void {
    this.#timer = undefined;
    if (this.#isStopped) return;
    const { clock, gapMs, lastByteAt, onSilent } = this.#options;
    const leftMs = lastByteAt() + gapMs() - clock.monotonic();
    if (leftMs > 0) this.#again(leftMs);
    else if (!isLooked) this.#again(pendingInputMs, true);
    else onSilent();
  }
}
