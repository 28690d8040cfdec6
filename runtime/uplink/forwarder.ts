// Moves messages from the lanes to the uplink. What it took it either acknowledges, releases or rejects:
// nothing is ever dropped here, and a crash at any point only means that something is sent again, since an
// entry leaves its lane only after the hub has it.
import { createBackoff } from '../../kernel/backoff.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import { type Acknowledger, createAcknowledger } from './acknowledger.ts';
import { createInFlight } from './in-flight.ts';
import { charge, chooseLane, defaultShares, emptyLedger, type Shares } from './lane-choice.ts';
import { type LaneName, type Lanes, laneNames, type Outgoing } from './lanes.ts';
import { createRateCaps, type DayUse } from './rate-caps.ts';
import type { Uplink } from './uplink.ts';
import { createWakeTimer } from './wake-timer.ts';

export interface ForwarderLimits {
  /** Messages and bytes that may be sent and not yet acknowledged. */
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** Caps; 0 is none. Messages a day are counted in 4 KB units, as IoT Hub meters them; the day is UTC's. */
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly messagesPerDay: number;
  /** Part of `messagesPerDay` that only live data may use, 0 to 1. */
  readonly liveReserve: number;
  /** Live data that has waited longer becomes backlog, so that what is new goes first. */
  readonly liveMaxAgeMs: number;
  /** Part of the bytes that backlog and backfill get at least. */
  readonly shares: Shares;
  /** Pauses after throttling, quota or messages given back. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

export const defaultForwarderLimits: ForwarderLimits = {
  inFlightMessages: 64,
  inFlightBytes: 8 * 1024 * 1024,
  messagesPerSecond: 0,
  bytesPerSecond: 0,
  messagesPerDay: 0,
  liveReserve: 0.5,
  liveMaxAgeMs: 15_000,
  shares: defaultShares,
  backoffMinMs: 500,
  backoffMaxMs: 60_000,
};

export interface ForwarderOptions {
  readonly uplink: Pick<Uplink, 'state' | 'onState' | 'send'>;
  readonly lanes: Lanes;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<ForwarderLimits>;
  /** What was used of this day's messages before a restart. */
  readonly dayUse?: DayUse;
  readonly log: Log;
  readonly metrics: Metrics;
}

export type Waiting = 'disconnected' | 'throttled' | 'rate' | 'daily-cap' | 'disk';

export interface ForwarderState {
  readonly inFlight: { readonly messages: number; readonly bytes: number };
  /** Acknowledged by the hub since the start. */
  readonly sent: Readonly<Record<LaneName, number>>;
  /** Sends that failed and are tried again. */
  readonly failed: number;
  /** Messages that the hub refused for good. */
  readonly rejected: number;
  /** Why nothing (or not every lane) is sent right now. */
  readonly waitingFor?: Waiting;
  /** To hand to the next start as `dayUse`. */
  readonly dayUse: DayUse;
}

export interface Forwarder {
  start(): void;
  state(): ForwarderState;
  /** Takes nothing more, waits at most `drainMs` (1 s) for what is in flight, releases the rest. */
  stop(drainMs?: number): Promise<void>;
}

interface Room {
  readonly messages: number;
  readonly bytes: number;
}

/** One `take`: small enough that a better lane is soon asked, large enough to be cheap. */
const takeMessages = 16;
const takeBytes = 1024 * 1024;
const ageCheckMs = 1_000;

export function createForwarder(options: ForwarderOptions): Forwarder {
  return new LaneForwarder(options);
}

class LaneForwarder implements Forwarder {
  readonly #options: ForwarderOptions;
  readonly #limits: ForwarderLimits;
  readonly #inFlight;
  readonly #caps;
  readonly #backoff;
  readonly #acknowledger: Acknowledger;
  readonly #sent: Record<LaneName, number> = { live: 0, backlog: 0, backfill: 0 };
  /** Sent and not settled, and taken but not yet sent. */
  readonly #held = new Set<Outgoing>();
  /** One of these was refused, in company: they go again one at a time, to learn which. */
  readonly #suspects = new Set<number>();
  #suspectSends = 0;
  readonly #releasing = new Set<Outgoing>();
  /** Lanes in which all is taken, until they may have gained something. */
  readonly #exhausted = new Set<LaneName>();
  readonly #timer;
  #ledger = emptyLedger;
  #failed = 0;
  #rejected = 0;
  #pausedUntil = 0;
  #pausedFor: Waiting | undefined;
  #waitingFor: Waiting | undefined;
  #pumping = false;
  #again = false;
  #running = false;
  #ageTimer: Timer | undefined;
  #wasConnected = false;
  #unsubscribe: (() => void)[] = [];
  #idle: (() => void) | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#limits = { ...defaultForwarderLimits, ...options.limits };
    this.#inFlight = createInFlight(this.#limits);
    this.#caps = createRateCaps(this.#limits, options.dayUse);
    this.#backoff = createBackoff(
      { minMs: this.#limits.backoffMinMs, maxMs: this.#limits.backoffMaxMs },
      options.random,
    );
    this.#acknowledger = createAcknowledger({ ...options, onWritten: () => this.#pump() });
    this.#timer = createWakeTimer(options.clock, () => this.#pump());
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    const { uplink, lanes } = this.#options;
    // What waits already has waited through a restart.
    lanes.demoteLive();
    this.#wasConnected = uplink.state().connected;
    this.#unsubscribe = [
      lanes.onWork(() => {
        this.#exhausted.clear();
        this.#pump();
      }),
      uplink.onState(({ connected }) => this.#onConnection(connected)),
    ];
    this.#checkAge();
    this.#pump();
  }

  state(): ForwarderState {
    const { messages, bytes } = this.#inFlight;
    return {
      inFlight: { messages, bytes },
      sent: { ...this.#sent },
      failed: this.#failed,
      rejected: this.#rejected,
      ...(this.#waitingFor ? { waitingFor: this.#waitingFor } : {}),
      dayUse: this.#caps.dayUse(this.#options.clock.now()),
    };
  }

  async stop(drainMs = 1_000): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#timer.cancel();
    this.#ageTimer?.cancel();
    await this.#drained(drainMs);
    // Those may have arrived; sending is at least once.
    this.#release([...this.#held]);
    await this.#acknowledger.flush();
  }

  #onConnection(connected: boolean): void {
    // Before anything is taken: what waited through the outage must not go before what is new.
    if (connected && !this.#wasConnected) this.#options.lanes.demoteLive();
    this.#wasConnected = connected;
    if (connected) this.#pump();
    else this.#waitingFor = 'disconnected';
  }

  #pump(): void {
    if (this.#pumping) {
      this.#again = true;
      return;
    }
    this.#pumping = true;
    void this.#run().finally(() => {
      this.#pumping = false;
      if (!this.#again) return;
      this.#again = false;
      this.#pump();
    });
  }

  async #run(): Promise<void> {
    this.#exhausted.clear();
    try {
      while (await this.#step());
    } catch (error) {
      this.#options.log.error({ err: error }, 'the lanes cannot be read; trying again');
      this.#pause('disk');
    }
  }

  /** Takes and sends once. False when there is nothing to do now; something will call `#pump` again. */
  async #step(): Promise<boolean> {
    if (!this.#mayTake()) return false;
    const { lanes } = this.#options;
    const single = this.#suspects.size > 0;
    if (single && this.#inFlight.messages > 0) return false;
    const waiting = this.#waiting();
    const ready = this.#ready(waiting);
    const lane = chooseLane(this.#ledger, {
      live: ready.live !== undefined,
      backlog: ready.backlog !== undefined,
      backfill: ready.backfill !== undefined,
    });
    if (lane === undefined) return false;
    const room = ready[lane]!;
    const entries = await lanes.take(lane, {
      messages: single ? 1 : Math.min(takeMessages, room.messages),
      bytes: Math.min(takeBytes, room.bytes),
    });
    for (const entry of entries) this.#held.add(entry);
    if (!this.#running || !this.#options.uplink.state().connected) {
      this.#release(entries);
      return false;
    }
    // A suspect that retention removed meanwhile never comes: going single ends after a while in any case.
    if (single && --this.#suspectSends <= 0) this.#suspects.clear();
    for (const entry of entries) {
      this.#ledger = charge(this.#ledger, this.#limits.shares, lane, entry.bytes, waiting);
      this.#send(entry);
    }
    if (entries.length === 0) this.#exhausted.add(lane);
    return true;
  }

  #mayTake(): boolean {
    const { clock, uplink } = this.#options;
    this.#waitingFor = undefined;
    if (!this.#running || this.#acknowledger.isFull) return false;
    if (!uplink.state().connected) {
      this.#waitingFor = 'disconnected';
      return false;
    }
    const pauseMs = this.#pausedUntil - clock.monotonic();
    if (pauseMs > 0) {
      this.#waitingFor = this.#pausedFor;
      this.#timer.in(pauseMs);
      return false;
    }
    return true;
  }

  /** Lanes that may have work. Depth counts what is taken too: only an empty take says that all is. */
  #waiting(): Record<LaneName, boolean> {
    const { lanes } = this.#options;
    const has = (lane: LaneName) => !this.#exhausted.has(lane) && lanes.depth(lane).messages > 0;
    return { live: has('live'), backlog: has('backlog'), backfill: has('backfill') };
  }

  /** For each lane with work, what may be taken now: room in flight, and no cap against it. */
  #ready(waiting: Readonly<Record<LaneName, boolean>>): { [lane in LaneName]?: Room } {
    const { clock } = this.#options;
    const ready: { [lane in LaneName]?: Room } = {};
    for (const lane of laneNames.filter((name) => waiting[name])) {
      const room = this.#inFlight.room(lane);
      if (room.messages === 0) continue;
      const cap = this.#caps.ask(lane, clock.monotonic(), clock.now());
      if (cap.kind === 'wait') {
        this.#waitingFor = cap.reason;
        this.#timer.in(cap.ms);
      } else {
        ready[lane] = {
          messages: Math.min(room.messages, cap.messages),
          bytes: Math.min(room.bytes, cap.bytes),
        };
      }
    }
    return ready;
  }

  #send(entry: Outgoing): void {
    const { clock, uplink } = this.#options;
    this.#caps.spend(entry.bytes, clock.monotonic(), clock.now());
    this.#inFlight.sent(entry.lane, entry.bytes);
    const startedAt = clock.monotonic();
    uplink.send(entry.message).then(
      () => this.#onSent(entry, startedAt),
      (error: unknown) => this.#onFailed(entry, error),
    );
  }

  #onSent(entry: Outgoing, startedAt: number): void {
    const { clock, metrics } = this.#options;
    const now = clock.monotonic();
    this.#inFlight.done(entry.lane, entry.bytes, true, now);
    this.#suspects.delete(entry.id);
    this.#backoff.reset();
    metrics.count('holdfast_messages_sent_total', { lane: entry.lane });
    metrics.count('holdfast_sent_bytes_total', { lane: entry.lane }, entry.bytes);
    metrics.observe('holdfast_send_seconds', (now - startedAt) / 1000, { lane: entry.lane });
    // Released at stop while it was in flight: it is no longer ours to acknowledge.
    if (this.#held.delete(entry)) {
      this.#sent[entry.lane]++;
      this.#acknowledger.add(entry);
    }
    this.#settled();
  }

  #onFailed(entry: Outgoing, error: unknown): void {
    const { clock, log, metrics } = this.#options;
    this.#inFlight.done(entry.lane, entry.bytes, false, clock.monotonic());
    const code = error instanceof HoldfastError ? error.code : 'unknown';
    metrics.count('holdfast_send_failures_total', { code });
    if (error instanceof HoldfastError && !error.retryable) this.#reject(entry, error);
    else {
      this.#failed++;
      if (code === 'uplink-message-suspect') this.#suspect(entry);
      if (code === 'uplink-throttled' || code === 'uplink-quota-exceeded' || code === 'uplink-not-accepted') {
        this.#slowDown(code);
      } else log.debug({ code, reason: describeError(error), id: entry.message.messageId }, 'send failed');
      this.#releaseSoon(entry);
    }
    this.#settled();
  }

  #suspect(entry: Outgoing): void {
    this.#suspects.add(entry.id);
    this.#suspectSends = 4 * this.#limits.inFlightMessages;
  }

  #reject(entry: Outgoing, error: HoldfastError): void {
    const { lanes, log } = this.#options;
    this.#rejected++;
    this.#suspects.delete(entry.id);
    const reason = describeError(error);
    log.error({ id: entry.message.messageId, bytes: entry.bytes, reason }, 'the hub refuses a message');
    lanes.reject(entry, reason).then(
      () => this.#held.delete(entry),
      (failure: unknown) => {
        log.error({ err: failure }, 'a refused message cannot be set aside; it goes back');
        this.#releaseSoon(entry);
        this.#pause('disk');
      },
    );
  }

  /** Failures come in bursts, all in one turn: they go back together, oldest first. */
  #releaseSoon(entry: Outgoing): void {
    if (this.#releasing.size === 0) {
      queueMicrotask(() => {
        const entries = [...this.#releasing];
        this.#releasing.clear();
        this.#release(entries);
        this.#pump();
      });
    }
    this.#releasing.add(entry);
  }

  #release(entries: readonly Outgoing[]): void {
    const ours = entries.filter((entry) => this.#held.delete(entry)).sort((a, b) => a.id - b.id);
    if (ours.length > 0) this.#options.lanes.release(ours);
  }

  #slowDown(code: string): void {
    // One pause for a burst of failures, not one each.
    if (this.#pausedUntil > this.#options.clock.monotonic()) return;
    this.#inFlight.shrink();
    const pauseMs = this.#pause('throttled');
    this.#options.log.warn({ code, pauseMs }, 'the hub asks to send slower');
  }

  #pause(reason: Waiting): number {
    const pauseMs = Math.round(this.#backoff.next());
    this.#pausedFor = reason;
    this.#waitingFor = reason;
    this.#pausedUntil = this.#options.clock.monotonic() + pauseMs;
    this.#timer.in(pauseMs);
    return pauseMs;
  }

  #checkAge(): void {
    const { clock, lanes } = this.#options;
    const { oldestAt } = lanes.depth('live');
    const late = oldestAt !== undefined && clock.now() - oldestAt > this.#limits.liveMaxAgeMs;
    if (late && this.#wasConnected) lanes.demoteLive();
    // Also a net under every wake-up that could have been missed.
    this.#pump();
    this.#ageTimer = clock.setTimer(ageCheckMs, () => this.#checkAge());
  }

  #settled(): void {
    if (this.#inFlight.messages === 0) this.#idle?.();
    this.#pump();
  }

  async #drained(limitMs: number): Promise<void> {
    if (this.#inFlight.messages === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(limitMs, resolve);
      this.#idle = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
