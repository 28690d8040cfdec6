// Messages that the disk does not return: the file may not be read, or a sector of it is bad. They are passed over, so that
// later messages are sent, and tried again from time to time, since a file's mode can be corrected and a disk may only be
// away. A message that stays unreadable counts as damaged: it becomes a hole, and the equipment's history is asked.
import type { Clock } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import { isMedium, isSystemError } from '../engine/disk.ts';

export const unreadableLimits = {
  pauseMs: 60_000,
  /** A bad sector stays bad. */
  triesOfMedium: 5,
  /** Somebody may have to come. */
  triesOfOthers: 60,
};

interface Tried {
  tries: number;
  at: number;
}

export class Unreadable {
  readonly #clock: Clock;
  readonly #messages = new Map<number, Tried>();
  #text = '';
  #since = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The message could not be read. `lost`: for good. */
  note(id: number, error: unknown): 'again' | 'lost' {
    const now = this.#clock.monotonic();
    if (this.#messages.size === 0) this.#since = this.#clock.now();
    this.#text = describeError(error);
    const tried = this.#messages.get(id) ?? { tries: 0, at: Number.NEGATIVE_INFINITY };
    // Several ask for the same one: that counts once.
    if (now - tried.at >= unreadableLimits.pauseMs / 2) {
      tried.tries++;
      tried.at = now;
    }
    const most = causedByMedium(error) ? unreadableLimits.triesOfMedium : unreadableLimits.triesOfOthers;
    if (tried.tries < most) {
      this.#messages.set(id, tried);
      return 'again';
    }
    this.#messages.delete(id);
    return 'lost';
  }

  /** The message could be read after all, or is gone. */
  forget(id: number): void {
    if (this.#messages.size > 0) this.#messages.delete(id);
  }

  /** For people: what the disk said, since when (wall clock, epoch ms). */
  get problem(): { readonly text: string; readonly since: number } | undefined {
    const { size } = this.#messages;
    if (size === 0) return undefined;
    return { text: `${size} messages cannot be read: ${this.#text}`, since: this.#since };
  }
}

/** The operating system refuses a segment of the value log; the store as a whole answers. */
export function isOfOneFile(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && error.code === 'store-read-failed' && isSystemError(error);
}

function causedByMedium(error: unknown): boolean {
  for (let current = error; current !== undefined && current !== null; ) {
    if (isMedium(current)) return true;
    current = (current as { cause?: unknown }).cause;
  }
  return false;
}
