// Moves messages from the lanes to the uplink. Each message that it takes is acknowledged, released or rejected: nothing is
// dropped here, and a crash at any point only means that something is sent again, since an entry leaves its lane only after
// the hub has it.
import type { Timer } from '../../../kernel/clock.ts';
import { codeOf, describeError, HoldfastError } from '../../../kernel/errors.ts';
import { type LaneName, laneNames, type Outgoing } from '../lanes.ts';
import { type Acknowledger, createAcknowledger } from './acknowledger.ts';
import {
  defaultForwarderLimits,
  type Forwarder,
  type ForwarderLimits,
  type ForwarderOptions,
  type ForwarderState,
  type WaitReason,
} from './forwarder-api.ts';
import { createInFlight, createPoisonWatch, createTakenMessages } from './in-flight.ts';
import { createLaneBuffer, type LaneBuffer } from './lane-buffer.ts';
import { charge, chooseLane, emptyLedger } from './lane-choice.ts';
import { createForwarderPause, createRateCaps, createWakeTimer, type PauseReason } from './pace.ts';

const ageCheckMs = 1_000;

export function createForwarder(options: ForwarderOptions): Forwarder {
  return new LaneForwarder(options);
}

/** Failures after which nothing is sent for a while; the connection is sound. */
const pauseAfter: Readonly<Record<string, PauseReason>> = {
  'uplink-throttled': 'throttled',
  'uplink-not-accepted': 'throttled',
  'uplink-quota-exceeded': 'quota',
};

type PerLane<T> = Readonly<Record<LaneName, T>>;

class LaneForwarder implements Forwarder {
  readonly #options: ForwarderOptions;
  readonly #limits: ForwarderLimits;
  readonly #buffers: PerLane<LaneBuffer>;
  readonly #inFlight;
  readonly #caps;
  readonly #pause;
  readonly #poison;
  readonly #taken;
  readonly #timer;
  readonly #acknowledger: Acknowledger;
  readonly #sent: Record<LaneName, number> = { live: 0, backlog: 0, backfill: 0 };
  #ledger = emptyLedger;
  #sentBytes = 0;
  #failed = 0;
  #rejected = 0;
  #waitingFor: WaitReason | undefined;
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
    this.#pause = createForwarderPause(this.#limits, clock, random);
    this.#poison = createPoisonWatch(() => 4 * this.#limits.inFlightMessages);
    this.#taken = createTakenMessages(lanes, (entries, requeue) => this.#aroundRequeue(entries, requeue));
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
      sentBytes: this.#sentBytes,
      failed: this.#failed,
      rejected: this.#rejected,
      ...(this.#waitingFor ? { waitingFor: this.#waitingFor } : {}),
      dayUse: this.#caps.dayUse(this.#options.clock.now()),
    };
  }

  setLimits(limits: Partial<ForwarderLimits>): void {
    // The parts read them here, each time.
    Object.assign(this.#limits, defaultForwarderLimits, limits);
    this.#inFlight.relimit();
    this.#pump();
  }

  async stop(drainMs = 1_000): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#timer.cancel();
    this.#ageTimer?.cancel();
    for (const lane of laneNames) this.#buffers[lane].requeue();
    await this.#drained(drainMs);
    // Those may have arrived; sending is at least once.
    this.#taken.requeueAll();
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
      for (const lane of laneNames) this.#buffers[lane].requeue();
      return;
    }
    // Before anything is taken: what waited through the outage must not go before what is new.
    if (returned) {
      this.#options.lanes.demoteLive();
      this.#inFlight.restart();
    }
    this.#pump();
  }

  #onUnreadable(error: unknown): void {
    this.#options.log.error(
      { code: codeOf(error, 'disk-refuses'), err: error },
      'a lane cannot be read; trying again',
    );
    this.#rest('disk');
  }

  /** Sends all messages that may be sent now, and refills the buffers. Called whenever that may have changed. */
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
    const { uplink } = this.#options;
    this.#waitingFor = undefined;
    if (!this.#running || this.#acknowledger.isFull) return false;
    if (!uplink.state().connected) {
      this.#waitingFor = 'disconnected';
      return false;
    }
    const pause = this.#pause.now();
    if (!pause) return true;
    this.#waitingFor = pause.reason;
    this.#timer.in(pause.ms);
    return false;
  }

  #sendNext(): boolean {
    const single = this.#poison.any;
    if (single && this.#inFlight.messages > 0) return false;
    const ready = {
      live: this.#isReady('live'),
      backlog: this.#isReady('backlog'),
      backfill: this.#isReady('backfill'),
    };
    const lane = chooseLane(this.#ledger, ready);
    const entry = lane && this.#buffers[lane].shift();
    if (!entry) return false;
    if (single) this.#poison.sent();
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
    this.#taken.add(entry);
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
    this.#poison.cleared(entry.id);
    this.#pause.reset();
    metrics.count('holdfast_messages_sent_total', { lane: entry.lane });
    metrics.count('holdfast_sent_bytes_total', { lane: entry.lane }, entry.bytes);
    metrics.observe('holdfast_send_seconds', (now - startedAt) / 1000, { lane: entry.lane });
    // Not what was given back at stop while it was in flight.
    if (this.#taken.remove(entry)) {
      this.#sent[entry.lane]++;
      if (entry.lane !== 'backfill') this.#sentBytes += entry.bytes;
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
      if (code === 'uplink-message-suspect') this.#poison.add(entry.id);
      const reason = pauseAfter[code];
      if (reason) this.#slowDown(reason, code);
      else log.debug({ code, reason: describeError(error), id: entry.message.messageId }, 'send failed');
      this.#taken.requeueSoon(entry);
    }
    this.#settled();
  }

  #reject(entry: Outgoing, error: HoldfastError): void {
    const { lanes, log } = this.#options;
    this.#rejected++;
    this.#poison.cleared(entry.id);
    const reason = describeError(error);
    const { messageId } = entry.message;
    log.error({ code: error.code, id: messageId, bytes: entry.bytes, reason }, 'the hub refuses a message');
    lanes.reject(entry, reason).then(
      () => this.#taken.remove(entry),
      (failure: unknown) => {
        log.error(
          { code: codeOf(failure, 'disk-refuses'), err: failure },
          'a refused message cannot be set aside; it stays in its lane and is sent again',
        );
        this.#taken.requeueSoon(entry);
        this.#rest('disk');
      },
    );
  }

  // What was taken ahead goes back too: it comes after what failed. Nothing is sent until both are back.
  #aroundRequeue(entries: readonly Outgoing[], requeue: () => void): void {
    this.#pumping = true;
    try {
      for (const lane of new Set(entries.map((entry) => entry.lane))) this.#buffers[lane].requeue();
      requeue();
    } finally {
      this.#pumping = false;
    }
    this.#onWork();
  }

  #slowDown(reason: PauseReason, code: string): void {
    const pauseMs = this.#rest(reason);
    if (pauseMs === undefined) return;
    this.#inFlight.shrink();
    // A quota is used up for hours: that is told as an outage is.
    const level = reason === 'quota' ? 'debug' : 'warn';
    this.#options.log[level]({ code, pauseMs }, 'the hub asks to send slower');
  }

  #rest(reason: PauseReason): number | undefined {
    const pauseMs = this.#pause.begin(reason);
    if (pauseMs === undefined) return undefined;
    this.#waitingFor = reason;
    this.#timer.in(pauseMs);
    return pauseMs;
  }

  #checkAge(): void {
    const { clock, lanes } = this.#options;
    const { oldestAt } = lanes.depth('live');
    const late = oldestAt !== undefined && clock.now() - oldestAt > this.#limits.liveMaxAgeMs;
    if (late && this.#wasConnected) {
      this.#buffers.live.requeue();
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
