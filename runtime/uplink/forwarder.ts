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
import { defaultForwarderLimits, type ForwarderLimits } from './forwarder-limits.ts';
import { createInFlight } from './in-flight.ts';
import { createLaneBuffer, type LaneBuffer } from './lane-buffer.ts';
import { charge, chooseLane, emptyLedger } from './lane-choice.ts';
import { type LaneName, type Lanes, laneNames, type Outgoing } from './lanes.ts';
import { createRateCaps, type DayUse } from './rate-caps.ts';
import type { Uplink } from './uplink.ts';
import { createWakeTimer } from './wake-timer.ts';

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

const ageCheckMs = 1_000;

export function createForwarder(options: ForwarderOptions): Forwarder {
  return new LaneForwarder(options);
}

type PerLane<T> = Readonly<Record<LaneName, T>>;

class LaneForwarder implements Forwarder {
  readonly #options: ForwarderOptions;
  readonly #limits: ForwarderLimits;
  readonly #buffers: PerLane<LaneBuffer>;
  readonly #inFlight;
  readonly #caps;
  readonly #backoff;
  readonly #timer;
  readonly #acknowledger: Acknowledger;
  readonly #sent: Record<LaneName, number> = { live: 0, backlog: 0, backfill: 0 };
  /** Sent, and neither acknowledged by the hub nor given back. */
  readonly #held = new Set<Outgoing>();
  /** One of these was refused, in company: they go again one at a time, to learn which. */
  readonly #suspects = new Set<number>();
  #suspectSends = 0;
  readonly #releasing = new Set<Outgoing>();
  #ledger = emptyLedger;
  #failed = 0;
  #rejected = 0;
  #pausedUntil = 0;
  #pausedFor: Waiting | undefined;
  #waitingFor: Waiting | undefined;
  #running = false;
  #pumping = false;
  #ageTimer: Timer | undefined;
  #wasConnected = false;
  #unsubscribe: (() => void)[] = [];
  #idle: (() => void) | undefined;

  constructor(options: ForwarderOptions) {
    const { clock, random, lanes } = options;
    this.#options = options;
    this.#limits = { ...defaultForwarderLimits, ...options.limits };
    const buffer = (lane: LaneName) =>
      createLaneBuffer({
        lane,
        lanes,
        onFilled: () => this.#pump(),
        onError: (error) => this.#onUnreadable(error),
      });
    this.#buffers = { live: buffer('live'), backlog: buffer('backlog'), backfill: buffer('backfill') };
    this.#inFlight = createInFlight(this.#limits);
    this.#caps = createRateCaps(this.#limits, options.dayUse);
    const { backoffMinMs, backoffMaxMs } = this.#limits;
    this.#backoff = createBackoff({ minMs: backoffMinMs, maxMs: backoffMaxMs }, random);
    this.#acknowledger = createAcknowledger({ ...options, onWritten: () => this.#onWork() });
    this.#timer = createWakeTimer(clock, () => this.#pump());
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    const { uplink, lanes } = this.#options;
    // What waits already has waited through a restart.
    lanes.demoteLive();
    this.#wasConnected = uplink.state().connected;
    this.#unsubscribe = [
      lanes.onWork(() => this.#onWork()),
      uplink.onState(({ connected }) => this.#onConnection(connected)),
    ];
    this.#checkAge();
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
    for (const lane of laneNames) this.#buffers[lane].giveBack();
    await this.#drained(drainMs);
    // Those may have arrived; sending is at least once.
    this.#release([...this.#held]);
    await this.#acknowledger.flush();
  }

  #onWork(): void {
    for (const lane of laneNames) this.#buffers[lane].moreWork();
    this.#pump();
  }

  #onConnection(connected: boolean): void {
    const returned = connected && !this.#wasConnected;
    this.#wasConnected = connected;
    if (!connected) {
      this.#waitingFor = 'disconnected';
      for (const lane of laneNames) this.#buffers[lane].giveBack();
      return;
    }
    // Before anything is taken: what waited through the outage must not go before what is new.
    if (returned) this.#options.lanes.demoteLive();
    this.#pump();
  }

  #onUnreadable(error: unknown): void {
    this.#options.log.error({ err: error }, 'a lane cannot be read; trying again');
    this.#pause('disk');
  }

  /** Sends what may be sent now, and has more taken. Called whenever that may have changed. */
  #pump(): void {
    if (this.#pumping || !this.#mayRun()) return;
    this.#pumping = true;
    try {
      while (this.#sendNext());
      for (const lane of laneNames) this.#buffers[lane].refill();
    } finally {
      this.#pumping = false;
    }
  }

  #mayRun(): boolean {
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

  #sendNext(): boolean {
    const single = this.#suspects.size > 0;
    if (single && this.#inFlight.messages > 0) return false;
    const ready = {
      live: this.#isReady('live'),
      backlog: this.#isReady('backlog'),
      backfill: this.#isReady('backfill'),
    };
    const lane = chooseLane(this.#ledger, ready);
    const entry = lane && this.#buffers[lane].shift();
    if (!entry) return false;
    // A suspect that retention removed meanwhile never comes: going single ends after a while in any case.
    if (single && --this.#suspectSends <= 0) this.#suspects.clear();
    const { live, backlog, backfill } = this.#buffers;
    const waiting = {
      live: live.hasWork,
      backlog: backlog.hasWork,
      backfill: backfill.hasWork,
      [lane]: true,
    };
    this.#ledger = charge(this.#ledger, this.#limits.shares, lane, entry.bytes, waiting);
    this.#send(entry);
    return true;
  }

  /** The lane has a message in hand, there is room for it in flight, and no cap against it. */
  #isReady(lane: LaneName): boolean {
    const { clock } = this.#options;
    const { head } = this.#buffers[lane];
    if (!head || !this.#inFlight.hasRoom(lane, head.bytes)) return false;
    const cap = this.#caps.ask(lane, clock.monotonic(), clock.now());
    if (cap.kind === 'free') return true;
    this.#waitingFor = cap.reason;
    this.#timer.in(cap.ms);
    return false;
  }

  #send(entry: Outgoing): void {
    const { clock, uplink } = this.#options;
    const startedAt = clock.monotonic();
    this.#held.add(entry);
    this.#caps.spend(entry.bytes, startedAt, clock.now());
    this.#inFlight.sent(entry.lane, entry.bytes);
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
        // What was taken ahead goes back too: it comes after what failed. Nothing is sent until both are back.
        this.#pumping = true;
        try {
          for (const lane of new Set(entries.map((entry) => entry.lane))) this.#buffers[lane].giveBack();
          this.#release(entries);
        } finally {
          this.#pumping = false;
        }
        this.#onWork();
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
    if (late && this.#wasConnected) {
      this.#buffers.live.giveBack();
      lanes.demoteLive();
    }
    // Also a net under every wake-up that could have been missed.
    this.#onWork();
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
