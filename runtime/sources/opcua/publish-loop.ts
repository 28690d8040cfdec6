// Keeps the server supplied with publish requests, and passes its messages on in the order of their numbers. Missing
// messages are requested again; those that the server no longer has are reported as lost.
import { type Clock, withTimeout } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import { OpcuaServiceError } from './opcua-errors.ts';
import type { Acknowledgement, OpcuaSession, Published, Subscription } from './opcua-session.ts';

export interface PublishLoopOptions {
  readonly session: OpcuaSession;
  readonly subscription: Subscription;
  readonly clock: Clock;
  /** Longest time without any message: two keep-alives, and an answer's. */
  readonly silenceMs: number;
  /** In order. `lost` messages before this one are gone for good. */
  readonly onMessage: (message: Published, lost: number) => void | Promise<void>;
  /** One that was told to be lost comes after all. */
  readonly onLate: (message: Published) => void;
}

/** Enough to have one at the server while another is on its way. */
const inFlight = 3;
/** More numbers missing than this is a server that counts wrongly, or was away: not asked for one by one. */
const maxRepublished = 100;
/** A message comes no later than so many others. */
const maxTaken = 200;

export class PublishLoop {
  readonly #options: PublishLoopOptions;
  #acknowledge: Acknowledgement[] = [];
  /** Number of the message to come. */
  #next = 1;
  #wanted = inFlight;
  /** When the latest messages were published, by number. */
  readonly #taken = new Map<number, number>();
  #publishedAt = Number.NEGATIVE_INFINITY;

  constructor(options: PublishLoopOptions) {
    this.#options = options;
  }

  /** Until the session is lost; always rejects. */
  async run(): Promise<never> {
    const waiting: Promise<Published | undefined>[] = [];
    try {
      for (;;) {
        while (waiting.length < this.#wanted) waiting.push(this.#ask());
        const message = await this.#heard(waiting.shift()!);
        if (message) await this.#take(message);
      }
    } finally {
      for (const each of waiting) each.catch(() => {});
    }
  }

  /** Undefined where the server gave the request back without a message. */
  async #ask(): Promise<Published | undefined> {
    const { session, silenceMs } = this.#options;
    const acknowledge = this.#acknowledge.splice(0);
    try {
      return await session.publish(acknowledge, silenceMs * (inFlight + 1));
    } catch (error) {
      const status = error instanceof OpcuaServiceError ? error.status : '';
      if (status === 'BadTooManyPublishRequests' && this.#wanted > 1) {
        this.#wanted -= 1;
        return undefined;
      }
      if (status === 'BadTimeout' || status === 'BadRequestTimeout') return undefined;
      if (status === 'BadNoSubscription' || status === 'BadSubscriptionIdInvalid')
        throw subscriptionLost(status, error);
      throw error;
    }
  }

  #heard(answer: Promise<Published | undefined>): Promise<Published | undefined> {
    const { clock, silenceMs } = this.#options;
    return withTimeout(clock, silenceMs, answer, () => {
      const message = `the server sent neither values nor a keep-alive for ${Math.round(silenceMs)} ms`;
      return new HoldfastError('opcua-silent', message, { retryable: true });
    });
  }

  async #take(message: Published): Promise<void> {
    const { subscription, onMessage, onLate } = this.#options;
    // Left over from a session before: not ours to take.
    if (message.subscriptionId !== subscription.id) return;
    if (message.ended) throw subscriptionLost(message.ended.name);
    if (this.#isOld(message)) return;
    if (this.#isLate(message)) {
      this.#note(message);
      onLate(message);
      return;
    }
    const missing = this.#missing(message.sequence);
    let lost = missing > maxRepublished ? missing : this.#countsAnew(message) ? 1 : 0;
    for (let at = 0; at < missing && lost === 0; at++) {
      const again = await this.#again(this.#next);
      if (again === undefined) lost = missing - at;
      else {
        this.#count(again);
        await onMessage({ ...again, more: true }, 0);
      }
    }
    this.#next = this.#isLastNumber(message) ? this.#next : message.sequence;
    this.#publishedAt = message.publishedAt;
    if (!message.isKeepAlive) this.#count(message);
    await onMessage(message, lost);
  }

  /** The message came before: it is a repetition, or came after it was requested again. A late keep-alive says nothing new. */
  #isOld({ sequence, publishedAt, isKeepAlive }: Published): boolean {
    if (isKeepAlive) return sequence < this.#next && publishedAt <= this.#publishedAt;
    return this.#taken.get(sequence) === publishedAt;
  }

  /** It comes after it was told that it is lost: what came since is not missing. */
  #isLate({ sequence, publishedAt, isKeepAlive }: Published): boolean {
    return !isKeepAlive && this.#isBack(sequence) && publishedAt <= this.#publishedAt;
  }

  /** The server was started anew, or another took its place: nobody knows what it had told until then. */
  #countsAnew(message: Published): boolean {
    return this.#isBack(message.sequence) && !this.#isLastNumber(message);
  }

  /** Some servers give a keep-alive the number of the last message. */
  #isLastNumber({ sequence, isKeepAlive }: Published): boolean {
    return isKeepAlive && sequence === this.#next - 1;
  }

  #isBack(sequence: number): boolean {
    return sequence < this.#next && this.#missing(sequence) === 0;
  }

  /** A keep-alive carries the number of the message to come. Numbers start again at 1, not 0: OPC 10000-4, 5.14.5. */
  #missing(sequence: number): number {
    if (sequence >= this.#next) return sequence - this.#next;
    const isWrap = this.#next > 0xffff_0000 && sequence < 0xffff;
    return isWrap ? sequence - 1 + (0xffff_ffff - this.#next) + 1 : 0;
  }

  #count(message: Published): void {
    this.#note(message);
    const { sequence } = message;
    this.#next = sequence >= 0xffff_ffff ? 1 : sequence + 1;
  }

  #note({ subscriptionId, sequence, publishedAt }: Published): void {
    this.#taken.set(sequence, publishedAt);
    if (this.#taken.size > maxTaken) this.#taken.delete(this.#taken.keys().next().value!);
    this.#acknowledge.push({ subscriptionId, sequence });
  }

  async #again(sequence: number): Promise<Published | undefined> {
    const { session, subscription } = this.#options;
    try {
      return await session.republish(subscription.id, sequence);
    } catch (error) {
      session.lost.throwIfAborted();
      if (error instanceof OpcuaServiceError) return undefined;
      throw error;
    }
  }
}

function subscriptionLost(status: string, cause?: unknown): HoldfastError {
  const message = `the server ended the subscription (${status})`;
  return new HoldfastError('opcua-subscription-lost', message, { retryable: true, cause });
}
