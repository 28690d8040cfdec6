// The hub between the modules: keeps what is sent, hands it over in order, the next when the last is settled, and again
// what was given back or not settled in time. What lies too long expires.
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { TakeInput } from '../../../runtime/sources/inputs.ts';
import type { Dice } from '../dice.ts';
import type { Trace } from '../trace.ts';
import type { SentMessage } from './sender.ts';

export interface HubQueueOptions {
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly trace: Trace;
  /** About to hand one over. All that was made up to `madeBy` was handed over by then, or never will be. */
  readonly onHand: (madeBy: number) => void;
}

const settleLimitMs = 30_000;
const retryMs = 1000;

export class HubQueue {
  exchanges = 0;
  /** Hands over now and then what was settled long ago, or twice. */
  isHostile = false;
  /** Where messages go; undefined while the module is not there. */
  take: TakeInput | undefined;
  readonly #options: HubQueueOptions;
  #waiting: SentMessage[] = [];
  #settled: SentMessage[] = [];
  #isHanding = false;
  /** When the newest was made that was handed over. */
  #newest = 0;

  constructor(options: HubQueueOptions) {
    this.#options = options;
    const turn = () => {
      void this.#next();
      options.clock.setTimer(20, turn);
    };
    turn();
  }

  add(sent: SentMessage): void {
    this.#waiting.push(sent);
  }

  /** What waits for longer than `ms` is dropped. */
  expire(ms: number): void {
    const { clock, trace } = this.#options;
    const isOld = ({ madeAt }: SentMessage) => clock.monotonic() - madeAt > ms;
    const old = this.#waiting.filter((sent) => isOld(sent) && sent.arrivals.length === 0);
    for (const sent of old) sent.isLost = true;
    this.#waiting = this.#waiting.filter((sent) => !sent.isLost);
    trace.note('hub', `${old.length} messages expire`);
  }

  /** The module is gone: what it had not settled is handed to the next. */
  disconnect(): void {
    this.take = undefined;
    this.#isHanding = false;
  }

  async #next(): Promise<void> {
    const { take } = this;
    const { clock, dice } = this.#options;
    if (this.#isHanding || !take) return;
    if (this.isHostile && this.#settled.length > 0 && dice.chance(0.01)) {
      this.#waiting.unshift(dice.pick(this.#settled.slice(-40)));
    }
    const sent = this.#waiting[0];
    if (!sent) return;
    this.#isHanding = true;
    const isSettled = await this.#hand(sent, take);
    if (this.take !== take) return;
    if (isSettled) this.#settle(sent);
    else await new Promise<void>((resolve) => clock.setTimer(retryMs, resolve));
    if (this.take === take) this.#isHanding = false;
  }

  async #hand(sent: SentMessage, take: TakeInput): Promise<boolean> {
    const { clock, trace, onHand } = this.#options;
    this.exchanges += 1;
    sent.arrivals.push(clock.now());
    const { properties, messageId, body } = sent.message;
    const number = properties.n === undefined ? '' : `, number ${properties.n}`;
    trace.note(
      'hub',
      `message ${sent.at}${number}${messageId ? '' : ', no id'}: ${Buffer.from(body).toString().slice(0, 120)}`,
    );
    this.#newest = Math.max(this.#newest, sent.madeAt);
    onHand(this.#newest);
    return new Promise((resolve) => {
      const timer = clock.setTimer(settleLimitMs, () => resolve(false));
      take(sent.message).then(
        () => {
          timer.cancel();
          resolve(true);
        },
        () => {
          timer.cancel();
          resolve(false);
        },
      );
    });
  }

  #settle(sent: SentMessage): void {
    const at = this.#waiting.indexOf(sent);
    if (at >= 0) this.#waiting.splice(at, 1);
    // Settled, and the answer was lost on the way: it comes once more.
    if (this.isHostile && this.#options.dice.chance(0.05)) this.#waiting.unshift(sent);
    else this.#settled = [...this.#settled.slice(-99), sent];
  }
}
