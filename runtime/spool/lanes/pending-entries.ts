// Entries that were taken from their lane and not handed out yet: the disk does not return their messages, or the hub's
// confirmation is awaited. They stay in the lane on the disk, and later entries are sent.
import type { Timer } from '../../../kernel/clock.ts';
import { codeOf, describeError } from '../../../kernel/errors.ts';
import type { LaneName } from '../../uplink/lanes.ts';
import type { SpoolCore } from '../core/core.ts';
import { unreadableLimits } from '../core/unreadable.ts';

export interface PendingEntry {
  readonly lane: LaneName;
  readonly id: number;
}

// Of all lanes together. Beyond this nothing more is handed out until they are tried again.
const maxUnreadable = 20_000;
// One for each stream and start of the process, while no hub is heard. The windows of what is beyond are not claimed.
const maxWithheld = 20_000;

export class PendingEntries {
  readonly #core: SpoolCore;
  readonly #release: (entries: readonly PendingEntry[]) => void;
  readonly #unreadable: PendingEntry[] = [];
  readonly #withheld: PendingEntry[] = [];
  #retry: Timer | undefined;

  /** `release`: the entries can be taken again. */
  constructor(core: SpoolCore, release: (entries: readonly PendingEntry[]) => void) {
    this.#core = core;
    this.#release = release;
  }

  get isFull(): boolean {
    return this.#unreadable.length > maxUnreadable;
  }
  get withheld(): number {
    return this.#withheld.length;
  }

  /** Adds an entry whose message cannot be read now: it is tried again in a while. */
  addUnreadable(entry: PendingEntry, error: unknown): void {
    const { clock, log } = this.#core;
    if (this.#unreadable.length === 0)
      log.error(
        { code: codeOf(error, 'disk-refuses'), error: describeError(error) },
        'messages cannot be read from the disk: others are sent first, and these are retried',
      );
    this.#unreadable.push(entry);
    this.#retry ??= clock.setTimer(unreadableLimits.pauseMs, () => {
      this.#retry = undefined;
      this.#release(this.#unreadable.splice(0));
    });
  }

  /** Adds an entry that waits for the hub's answer. False where there are too many. */
  withhold(entry: PendingEntry): boolean {
    if (this.#withheld.length >= maxWithheld) return false;
    if (this.#withheld.length === 0)
      this.#core.log.info(
        {},
        'windows that continue what an earlier start claimed wait until the hub has confirmed the state of the spool',
      );
    this.#withheld.push(entry);
    return true;
  }

  hubHeard(): void {
    if (this.#withheld.length > 0) this.#release(this.#withheld.splice(0));
  }

  /** No timer is left behind. */
  close(): void {
    this.#retry?.cancel();
  }
}
