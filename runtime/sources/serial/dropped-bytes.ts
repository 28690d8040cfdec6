// Counts bytes that were dropped because they formed no message: logged where it happens repeatedly, and shown in the
// status. Occasional noise is not reported.
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import { Repeated } from '../repeated.ts';
import type { GarbageKind } from './frame-scanner.ts';
import { type LineKind, lookBetween } from './line-advice.ts';

const keptBytes = 80;

/** `unmatched`: a whole message in which there is no tag. */
export type DroppedKind = GarbageKind | 'unmatched';

const words: Readonly<Record<DroppedKind, string>> = {
  unmatched: 'as messages without any of the tags',
  noise: 'outside of any message',
  checksum: 'with a wrong check sum',
  'too-long': 'longer than a message may be',
  cut: 'a message without its end',
};

export class DroppedBytes {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #kind: LineKind;
  readonly #drops = new Repeated();
  #last = '';
  #bytes = 0;

  constructor(clock: Clock, log: Log, kind: LineKind) {
    this.#clock = clock;
    this.#log = log;
    this.#kind = kind;
  }

  /** `sample`: the first of `bytes`. */
  note(bytes: number, why: DroppedKind, sample: Uint8Array): void {
    const now = this.#clock.monotonic();
    this.#drops.note(now);
    this.#bytes += bytes;
    const hint =
      why !== 'checksum' && why !== 'too-long'
        ? '; where they mean nothing, name them in ignore or between'
        : '';
    this.#last = `${words[why]}: ${lookBetween(sample.subarray(0, keptBytes), this.#kind)}${hint}`;
    if (this.#drops.isToBeSaid(now))
      this.#log.warn(
        { code: 'serial-garbage', bytes: this.#bytes, why },
        `bytes are dropped again and again, ${this.#last}`,
      );
  }

  /** For the status; undefined where nothing was dropped of late. */
  get complaint(): string | undefined {
    // Once is how a line begins that was opened amid a message.
    if (!this.#drops.isAgain(this.#clock.monotonic())) return undefined;
    return `${this.#bytes} bytes were dropped, the last ${this.#last}`;
  }
}
