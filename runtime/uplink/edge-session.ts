// One connection to the hub, from the attempt to its end. It ends at the first doubt and stays ended: the library's
// half-open states (links detached silently, sends that never settle, a forced close that stalls) can be told from a
// healthy connection only by making a new one.
import type { Clock, Timer } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { WireMessage } from '../../wire/mini-batch.ts';
import { failureKind, sendError } from './client-errors.ts';
import type { EdgeClient, EdgeClientEvents, EdgeTarget, MakeEdgeClient, ReadTwin } from './edge-client.ts';
import type { TwinObject } from './merge-patch.ts';
import { createSendWatch } from './send-watch.ts';
import { createSessionLife, type SessionLife } from './session-life.ts';

export interface SessionLimits {
  /** For making a client, connecting, and registering methods: each. */
  readonly connectTimeoutMs: number;
  /** For one twin operation. */
  readonly twinTimeoutMs: number;
  /** Longest time without an acknowledgement while messages are in flight. */
  readonly sendTimeoutMs: number;
  /** Sends in a row that the hub settles without accepting, before the connection is given up. */
  readonly unacceptedLimit: number;
}

export interface SessionOptions {
  readonly make: MakeEdgeClient;
  readonly events: Omit<EdgeClientEvents, 'lost'>;
  readonly receiveInputs: boolean;
  readonly limits: SessionLimits;
  readonly clock: Clock;
  /** Called with the client's target as soon as that is known, for diagnosis. */
  readonly onTarget: (target: EdgeTarget) => void;
  /** Ends the session while it is being opened. */
  readonly signal: AbortSignal;
}

export interface EdgeSession {
  /** Resolves with the cause when the session has ended. */
  readonly ended: Promise<unknown>;
  readonly over: boolean;
  /** The hub acknowledged a message over it. */
  readonly carried: boolean;
  send(message: WireMessage, output?: string): Promise<void>;
  watchDesired(): Promise<void>;
  readTwin(): Promise<ReadTwin>;
  report(patch: TwinObject): Promise<void>;
  /** Ends the session now: sends in flight reject, the client is discarded. Idempotent. */
  end(cause: unknown): void;
  /** Ends it in good order, within `limitMs`. */
  close(limitMs: number): Promise<void>;
}

/** Rejects when any step fails or takes too long; the client is then gone. */
export async function openEdgeSession(options: SessionOptions): Promise<EdgeSession> {
  const { clock, limits, signal } = options;
  const life = createSessionLife(clock);
  const onAbort = () => life.end(signal.reason);
  if (signal.aborted) throw signal.reason;
  signal.addEventListener('abort', onAbort, { once: true });

  const step = <T>(what: string, work: Promise<T>) => life.limit(what, limits.connectTimeoutMs, work);
  try {
    const making = options.make({ ...options.events, lost: (cause) => life.end(cause) });
    // A client that comes after the time limit belongs to nobody.
    making.then((late) => life.over && late.discard()).catch(() => {});
    const client = await step('getting an identity', making);
    life.onEnd(() => client.discard());
    options.onTarget(client.target);
    await step('connecting', client.open());
    await step('registering the methods', client.serveMethods());
    if (options.receiveInputs) await step('attaching the inputs', client.receiveInputs());
    return createSession(client, life, options);
  } catch (error) {
    life.end(error);
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function createSession(client: EdgeClient, life: SessionLife, options: SessionOptions): EdgeSession {
  const { clock, limits } = options;
  const sender = createSender(client, life, limits, clock);
  const twin = <T>(what: string, work: Promise<T>) => life.limit(what, limits.twinTimeoutMs, work);
  return {
    ended: life.ended,
    get over() {
      return life.over;
    },
    get carried() {
      return sender.carried;
    },
    send: sender.send,
    watchDesired: () => twin('subscribing to the twin', client.watchDesired()),
    readTwin: () => twin('reading the twin', client.readTwin()),
    report: (patch) => twin('reporting to the twin', client.report(patch)),
    end: (cause) => life.end(cause),
    async close(limitMs) {
      if (!life.over) await life.limit('closing', limitMs, client.close()).catch(() => {});
      life.end(new HoldfastError('uplink-stopped', 'the uplink was stopped', { retryable: true }));
    },
  };
}

interface PendingSend {
  /** Nothing else was in flight since it was sent. */
  alone: boolean;
  readonly reject: (error: Error) => void;
}

function createSender(client: EdgeClient, life: SessionLife, limits: SessionLimits, clock: Clock) {
  const pending = new Map<number, PendingSend>();
  const watch = createSendWatch(limits.sendTimeoutMs);
  let timer: Timer | undefined;
  let unaccepted = 0;
  let carried = false;

  life.onEnd((cause) => {
    timer?.cancel();
    for (const { reject, alone } of pending.values()) reject(lostError(cause, alone));
    pending.clear();
  });

  const guard = () => {
    if (timer || watch.inFlight === 0 || life.over) return;
    timer = clock.setTimer(Math.min(1_000, Math.max(50, limits.sendTimeoutMs / 8)), () => {
      timer = undefined;
      const doubt = watch.doubt(clock.monotonic());
      if (doubt) life.end(new HoldfastError('uplink-timeout', doubt, { retryable: true }));
      else guard();
    });
  };

  const settle = (id: number): PendingSend | undefined => {
    const entry = pending.get(id);
    pending.delete(id);
    watch.settled(id, clock.monotonic());
    return entry;
  };

  const onAnswer = (id: number, accepted: boolean, resolve: () => void) => {
    const entry = settle(id);
    if (accepted) {
      unaccepted = 0;
      carried = true;
      resolve();
      return;
    }
    const error = new HoldfastError(
      'uplink-not-accepted',
      'the hub gave the message back without accepting it',
      { retryable: true },
    );
    entry?.reject(error);
    // The hub may mean it; the library also says so when it has lost track of its link.
    if (++unaccepted >= limits.unacceptedLimit) life.end(error);
  };

  const onFailure = (id: number, failure: unknown) => {
    const entry = settle(id);
    entry?.reject(sendError(failure, entry.alone));
    if (endsConnection(failure)) life.end(failure);
  };

  const send = (message: WireMessage, output?: string): Promise<void> => {
    if (life.over) return Promise.reject(lostError(life.cause, false));
    const id = watch.sent(clock.monotonic(), message.body.byteLength);
    const alone = pending.size === 0;
    // Of two or more that are in flight none is alone already.
    if (pending.size === 1) for (const other of pending.values()) other.alone = false;
    return new Promise((resolve, reject) => {
      pending.set(id, { alone, reject });
      guard();
      client.send(message, output).then(
        (accepted) => onAnswer(id, accepted, resolve),
        (error: unknown) => onFailure(id, error),
      );
    });
  };
  return {
    send,
    get carried() {
      return carried;
    },
  };
}

function endsConnection(error: unknown): boolean {
  const kind = failureKind(error);
  return kind === 'doubt' || kind === 'unauthorized';
}

function lostError(cause: unknown, alone: boolean): HoldfastError {
  return cause instanceof HoldfastError && cause.retryable ? cause : sendError(cause, alone);
}
