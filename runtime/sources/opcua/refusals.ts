// Tags whose history cannot be had as things are: their nodes are not there, or not for us. That may pass, as when a server
// starts, and what is marked in the meantime is never asked for again. So it is believed only once it has stood for a while.
import type { Clock } from '../../../kernel/clock.ts';
import { historyFailed } from './opcua-errors.ts';

const patienceMs = 600_000;

export class Refusals {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #since = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /**
   * `refused`: all that cannot be had now, with the cause as in a quality.
   * @throws HoldfastError `opcua-history-failed` while one of them may pass
   */
  check(refused: ReadonlyMap<string, string>): void {
    const now = this.#clock.monotonic();
    for (const tag of this.#since.keys()) if (!refused.has(tag)) this.#since.delete(tag);
    for (const tag of refused.keys()) if (!this.#since.has(tag)) this.#since.set(tag, now);
    for (const [tag, cause] of refused) {
      if (now - this.#since.get(tag)! >= patienceMs) continue;
      throw historyFailed(
        tag,
        `the server answers ${cause}. Where that stays so for ${patienceMs / 60_000} minutes, the tag is marked and the others are read`,
      );
    }
  }
}
