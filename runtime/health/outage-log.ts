// Logs an outage: one line when it begins, one at growing intervals with the amount that waits, one at its end, and one
// when the backlog has been sent, with its size and rate. Very short interruptions are not logged.
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';

export interface WaitingData {
  readonly messages: number;
  readonly bytes: number;
  /** How long the room lasts; undefined where that is not known. */
  readonly fullInSeconds: number | undefined;
}

export interface OutageLogOptions {
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
    const { log, state, waiting } = this.#options;
    this.#isTold = true;
    log.warn(
      { code: 'link-down', reason: state().diagnosis, ...waiting() },
      'the link is down: what is read waits in the spool',
    );
    this.#remind();
  }

  #remind(): void {
    const { clock, log, state, waiting } = this.#options;
    const since = this.#downSince!;
    const dueMs =
      remindersMs[this.#reminders] ??
      remindersMs.at(-1)! + laterMs * (this.#reminders - remindersMs.length + 1);
    this.#reminders += 1;
    this.#set(Math.max(0, since + dueMs - clock.monotonic()), () => {
      const minutes = Math.round((clock.monotonic() - since) / minuteMs);
      log.warn(
        { code: 'link-down', minutes, reason: state().diagnosis, ...waiting() },
        'the link is still down',
      );
      this.#remind();
    });
  }

  #up(): void {
    const { clock, log, waiting } = this.#options;
    const since = this.#downSince;
    if (since === undefined) return;
    this.#downSince = undefined;
    this.#timer?.cancel();
    if (!this.#isTold) return;
    this.#isTold = false;
    const { messages, bytes } = waiting();
    const seconds = Math.round((clock.monotonic() - since) / 1000);
    log.info({ seconds, messages, bytes }, 'the link is back: what waited is being sent');
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
