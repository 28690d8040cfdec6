// Logs an outage, of the link or of the hub's quota: one line when it begins, one at growing intervals with the amount that waits, one at its end, and one
// when the backlog has been sent, with its size and rate. Very short interruptions are not logged.
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';

export interface WaitingData {
  readonly messages: number;
  readonly bytes: number;
  /** How long the room lasts; undefined where that is not known. */
  readonly fullInSeconds: number | undefined;
}

export interface OutageWords {
  readonly code: string;
  readonly begins: string;
  readonly goesOn: string;
  readonly ends: string;
}

const linkWords: OutageWords = {
  code: 'link-down',
  begins: 'the link is down: what is read waits in the spool',
  goesOn: 'the link is still down',
  ends: 'the link is back: what waited is being sent',
};

export const quotaWords: OutageWords = {
  code: 'uplink-quota-exceeded',
  begins: "the hub's quota of this day is used up: what is read waits in the spool",
  goesOn: "the hub's quota of this day is still used up",
  ends: 'the hub takes messages again: what waited is being sent',
};

export interface OutageLogOptions {
  /** Default: those of the link. */
  readonly words?: OutageWords;
  readonly clock: Clock;
  readonly log: Log;
  readonly state: () => { readonly connected: boolean; readonly diagnosis?: string };
  readonly onState: (listener: () => void) => () => void;
  /** The data that was never sent. */
  readonly waiting: () => WaitingData;
}

/** Lost and found within this time is not worth a line. */
const blipMs = 5000;
const minuteMs = 60_000;
const remindersMs = [1, 5, 15, 60].map((minutes) => minutes * minuteMs);
const laterMs = 120 * minuteMs;
const drainLookMs = 1000;
/** As many messages are in flight at any time. */
const fewMessages = 3;

export interface OutageLog {
  start(): void;
  stop(): void;
}

export function createOutageLog(options: OutageLogOptions): OutageLog {
  return new OutageTeller(options);
}

class OutageTeller implements OutageLog {
  readonly #options: OutageLogOptions;
  #unsubscribe: (() => void) | undefined;
  #timer: Timer | undefined;
  /** Since when the hub is away, on the monotonic clock. */
  #downSince: number | undefined;
  #isTold = false;
  #reminders = 0;
  #drain: { readonly since: number; readonly messages: number; readonly bytes: number } | undefined;

  constructor(options: OutageLogOptions) {
    this.#options = options;
  }

  start(): void {
    this.#unsubscribe = this.#options.onState(() => this.#look());
    this.#look();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#timer?.cancel();
  }

  #look(): void {
    const { connected } = this.#options.state();
    if (connected) this.#up();
    else if (this.#downSince === undefined) this.#down();
  }

  #down(): void {
    this.#downSince = this.#options.clock.monotonic();
    this.#drain = undefined;
    this.#reminders = 0;
    this.#set(blipMs, () => this.#tellBegin());
  }

  #tellBegin(): void {
    const { log, state, waiting, words: { code, begins } = linkWords } = this.#options;
    this.#isTold = true;
    log.warn({ code, reason: state().diagnosis, ...waiting() }, begins);
    this.#remind();
  }

  #remind(): void {
    const { clock, log, state, waiting, words: { code, goesOn } = linkWords } = this.#options;
    const since = this.#downSince!;
    const dueMs =
      remindersMs[this.#reminders] ??
      remindersMs.at(-1)! + laterMs * (this.#reminders - remindersMs.length + 1);
    this.#reminders += 1;
    this.#set(Math.max(0, since + dueMs - clock.monotonic()), () => {
      const minutes = Math.round((clock.monotonic() - since) / minuteMs);
      log.warn({ code, minutes, reason: state().diagnosis, ...waiting() }, goesOn);
      this.#remind();
    });
  }

  #up(): void {
    const { clock, log, waiting, words: { ends } = linkWords } = this.#options;
    const since = this.#downSince;
    if (since === undefined) return;
    this.#downSince = undefined;
    this.#timer?.cancel();
    if (!this.#isTold) return;
    this.#isTold = false;
    const { messages, bytes } = waiting();
    const seconds = Math.round((clock.monotonic() - since) / 1000);
    log.info({ seconds, messages, bytes }, ends);
    this.#drain = { since: clock.monotonic(), messages, bytes };
    this.#set(drainLookMs, () => this.#lookDrained());
  }

  #lookDrained(): void {
    const { clock, log, waiting } = this.#options;
    const drain = this.#drain;
    if (drain === undefined) return;
    if (waiting().messages > fewMessages) {
      this.#set(drainLookMs, () => this.#lookDrained());
      return;
    }
    this.#drain = undefined;
    const { messages, bytes } = drain;
    const seconds = Math.max(1, Math.round((clock.monotonic() - drain.since) / 1000));
    const messagesPerSecond = Math.round(messages / seconds);
    log.info({ messages, bytes, seconds, messagesPerSecond }, 'the backlog is drained');
  }

  #set(ms: number, work: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(ms, work);
  }
}

interface Sending {
  readonly waitingFor?: string | undefined;
  /** Acknowledged, by lane. */
  readonly sent: Readonly<Record<string, number>>;
}

/** Whether the quota is used up: from the hub's word on until it takes something. Between two tries it only seems to be over. */
export function watchQuota(sending: () => Sending): () => boolean {
  let takenBefore: number | undefined;
  return () => {
    const { waitingFor, sent } = sending();
    const taken = Object.values(sent).reduce((sum, count) => sum + count, 0);
    if (takenBefore !== undefined && taken > takenBefore) takenBefore = undefined;
    if (waitingFor === 'quota') takenBefore ??= taken;
    return takenBefore !== undefined;
  };
}
