// Entries of the lanes that are taken and not handed out for now: the disk does not give their messages, or the hub has to be
// heard first. They stay in their lanes, and what is behind them goes.
import type { Timer } from '../../../kernel/clock.ts';
import { describeError } from '../../../kernel/errors.ts';
import type { LaneName } from '../../uplink/lanes.ts';
import type { SpoolCore } from '../core/core.ts';
import { unreadableLimits } from '../core/unreadable.ts';

export interface Place {
  readonly lane: LaneName;
  readonly id: number;
}

// Messages that the disk does not give, all lanes together. Beyond this nothing more is handed out until they are tried again.
const maxUnread = 20_000;
// One for each stream and start of the process, while no hub is heard. What is beyond is not claimed.
const maxWithheld = 20_000;

export class HeldEntries {
  readonly #core: SpoolCore;
  readonly #giveBack: (places: readonly Place[]) => void;
  readonly #unread: Place[] = [];
  readonly #withheld: Place[] = [];
  #again: Timer | undefined;

  constructor(core: SpoolCore, giveBack: (places: readonly Place[]) => void) {
    this.#core = core;
    this.#giveBack = giveBack;
  }

  get isFull(): boolean {
    return this.#unread.length > maxUnread;
  }
  get withheld(): number {
    return this.#withheld.length;
  }

  /** Tried again in a while. */
  holdUnread(place: Place, error: unknown): void {
    const { clock, log } = this.#core;
    if (this.#unread.length === 0)
      log.error({ error: describeError(error) }, 'messages cannot be read: they are passed over for now');
    this.#unread.push(place);
    this.#again ??= clock.setTimer(unreadableLimits.pauseMs, () => {
      this.#again = undefined;
      this.#giveBack(this.#unread.splice(0));
    });
  }

  /** Until the hub is heard. False where there are too many. */
  withhold(place: Place): boolean {
    if (this.#withheld.length >= maxWithheld) return false;
    if (this.#withheld.length === 0)
      this.#core.log.info({}, 'windows that go on from before the start wait until the hub was heard');
    this.#withheld.push(place);
    return true;
  }

  heard(): void {
    if (this.#withheld.length > 0) this.#giveBack(this.#withheld.splice(0));
  }

  /** No timer is left behind. */
  close(): void {
    this.#again?.cancel();
  }
}
