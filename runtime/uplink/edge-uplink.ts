// The uplink to edgeHub or IoT Hub: always keeps one session open. Retries, time limits and health checks are its own; it
// uses the client library for single connections only, each discarded at the first failure.
import type { Clock } from '../../kernel/clock.ts';
import { codeOf, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import { maxMessageBytes } from '../../wire/limits.ts';
import { messageBytes } from '../../wire/message-size.ts';
import type { WireMessage } from '../../wire/mini-batch.ts';
import { failureKind } from './client-errors.ts';
import { type ConnectionLoop, createConnectionLoop } from './connection-loop.ts';
import { createDesiredProperties, type DesiredProperties } from './desired-properties.ts';
import { createDiagnose, type Diagnose } from './diagnose.ts';
import type { EdgeIdentity, EdgeTarget, MakeEdgeClient } from './edge-client.ts';
import { type EdgeSession, openEdgeSession, type SessionLimits } from './edge-session.ts';
import { iotEdgeClients } from './iot-edge-client.ts';
import { createMethodDispatch, type MethodDispatch } from './method-dispatch.ts';
import { isReachable } from './probe.ts';
import type { ReconnectLimits } from './reconnect-pause.ts';
import { createReportedProperties, type ReportedProperties } from './reported-properties.ts';
import type { Reach } from './return-watch.ts';
import { syncTwin } from './twin-sync.ts';
import type { InputMessage, MethodHandler, Uplink, UplinkState } from './uplink.ts';
import { createUplinkStatus, type UplinkStatus } from './uplink-status.ts';

export interface EdgeUplinkLimits extends SessionLimits, ReconnectLimits {
  /** Least time between two updates of the reported properties. */
  readonly reportIntervalMs: number;
  /** Limit for one method handler. */
  readonly methodTimeoutMs: number;
  /** Methods that run at once; more are answered 429. */
  readonly concurrentMethods: number;
  /** Least time between two looks at the network while disconnected. */
  readonly diagnoseIntervalMs: number;
  /** For closing in good order at stop. */
  readonly closeMs: number;
}

export const defaultUplinkLimits: EdgeUplinkLimits = {
  connectTimeoutMs: 30_000,
  twinTimeoutMs: 30_000,
  sendTimeoutMs: 30_000,
  unacceptedLimit: 10,
  reconnectMinMs: 500,
  // The client library's own longest pause.
  reconnectMaxMs: 10_000,
  refusedMinMs: 10_000,
  refusedMaxMs: 120_000,
  stableMs: 10_000,
  attemptBurst: 8,
  attemptEveryMs: 6_000,
  reportIntervalMs: 10_000,
  methodTimeoutMs: 60_000,
  concurrentMethods: 16,
  diagnoseIntervalMs: 10_000,
  closeMs: 800,
};

export interface EdgeUplinkOptions {
  readonly identity: EdgeIdentity;
  /** Default `amqp`. */
  readonly transport?: 'amqp' | 'amqp-ws';
  /** PEM file of authorities to trust instead of the machine's own; added to IoT Edge's trust bundle. */
  readonly caFile?: string;
  /** Name of the module output; without it `telemetry` under IoT Edge, else the module's plain telemetry endpoint. */
  readonly output?: string;
  /** Life of tokens and how long before its end they are renewed, in seconds. Default 3600, 900. */
  readonly token?: { readonly validSeconds: number; readonly renewBeforeSeconds: number };
  readonly limits?: Partial<EdgeUplinkLimits>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** For tests. */
  readonly makeClient?: MakeEdgeClient;
  readonly diagnose?: Diagnose;
  readonly reach?: Reach;
}

/** One look at the hub's port while there is no connection. */
const reachLimitMs = 3_000;

export interface EdgeUplink extends Uplink {
  /** The module twin's desired properties, whole: at once if known, and after each change. */
  onDesired(listener: (desired: Readonly<Record<string, unknown>>) => void): () => void;
  /**
   * What the hub holds as reported by this module, at each new connection: the first time before anything is reported by
   * this process. Call before `start`.
   */
  onReported(listener: (reported: Readonly<Record<string, unknown>>) => void): () => void;
  /**
   * Takes the messages of the module's inputs; one handler for all. Resolve once the message is safe: a
   * rejection gives it back to edgeHub, which delivers it again. The first call of one that has started makes the
   * connection again, with the inputs attached.
   */
  handleInputs(handler: (message: InputMessage) => Promise<void>): void;
  /**
   * Throws the present connection away and makes a new one, as after any doubt. For a fault that surfaced
   * outside of any call, such as an exception thrown out of the client library's own event handlers.
   */
  renew(cause: unknown): void;
  /** Replaces how the hub is reached: the present connection ends, the next one is made this way. */
  reconfigure(settings: UplinkSettings): void;
}

/** What may change while the uplink runs. */
export interface UplinkSettings {
  readonly transport: 'amqp' | 'amqp-ws';
  readonly caFile?: string | undefined;
  readonly output?: string | undefined;
  readonly sendTimeoutMs: number;
}

export function createIotEdgeUplink(options: EdgeUplinkOptions): EdgeUplink {
  return new OneSessionUplink(options);
}

type Properties = Readonly<Record<string, unknown>>;

class OneSessionUplink implements EdgeUplink {
  readonly #options: EdgeUplinkOptions;
  readonly #status: UplinkStatus;
  readonly #methods: MethodDispatch;
  readonly #desired: DesiredProperties;
  readonly #reported: ReportedProperties;
  readonly #reportedListeners = new Set<(reported: Properties) => void>();
  readonly #loop: ConnectionLoop;
  #limits: EdgeUplinkLimits;
  #make: MakeEdgeClient;
  #inputs: ((message: InputMessage) => Promise<void>) | undefined;
  #session: EdgeSession | undefined;
  #running: Promise<void> | undefined;
  #onDesiredPatch: (patch: Properties) => void = () => {};

  constructor(options: EdgeUplinkOptions) {
    const { clock, random, log, metrics } = options;
    const limits = { ...defaultUplinkLimits, ...options.limits };
    this.#options = options;
    this.#limits = limits;
    this.#make = options.makeClient ?? iotEdgeClients({ ...options, transport: options.transport ?? 'amqp' });
    this.#status = createUplinkStatus({
      clock,
      log,
      metrics,
      diagnose: options.diagnose ?? createDiagnose(clock),
      intervalMs: limits.diagnoseIntervalMs,
    });
    this.#methods = createMethodDispatch({ ...limits, clock, log, metrics });
    this.#desired = createDesiredProperties((error) =>
      log.error(
        { code: codeOf(error, 'unexpected-trouble'), err: error },
        'desired properties could not be processed',
      ),
    );
    this.#reported = createReportedProperties({
      clock,
      minIntervalMs: limits.reportIntervalMs,
      maxBytes: 16 * 1024,
      isRefusal: (error) => failureKind(error) === 'refused',
      onDropped: (reason) => log.warn({ code: 'report-dropped', reason }, 'reported properties dropped'),
    });
    this.#loop = createConnectionLoop({
      open: (onTarget, signal) => this.#open(onTarget, signal),
      live: (session) => this.#live(session),
      onLost: (cause, target) => this.#status.lost(cause, target),
      reach: options.reach ?? ((target) => isReachable(target, clock, reachLimitMs)),
      limits,
      clock,
      random,
    });
  }

  start(): void {
    this.#running ??= this.#loop.run();
  }

  state(): UplinkState {
    return this.#status.state();
  }

  onState(listener: (state: UplinkState) => void): () => void {
    return this.#status.onState(listener);
  }

  async send(message: WireMessage, output?: string): Promise<void> {
    if (messageBytes(message) > maxMessageBytes) {
      throw new HoldfastError('uplink-message-refused', `the message is over ${maxMessageBytes} bytes`);
    }
    if (!this.#session) {
      throw new HoldfastError('uplink-not-connected', 'there is no connection', { retryable: true });
    }
    await this.#session.send(message, output);
  }

  handleMethod(name: string, handler: MethodHandler): void {
    this.#methods.handle(name, handler);
  }

  report(patch: Properties): void {
    this.#reported.add(patch);
  }

  onDesired(listener: (desired: Properties) => void): () => void {
    return this.#desired.subscribe(listener);
  }

  onReported(listener: (reported: Properties) => void): () => void {
    this.#reportedListeners.add(listener);
    return () => this.#reportedListeners.delete(listener);
  }

  handleInputs(handler: (message: InputMessage) => Promise<void>): void {
    const isAttached = this.#inputs !== undefined;
    this.#inputs = handler;
    if (!isAttached) this.#session?.end(reconfigured('the connection was made without inputs'));
  }

  renew(cause: unknown): void {
    this.#session?.end(cause);
  }

  reconfigure({ transport, caFile, output, sendTimeoutMs }: UplinkSettings): void {
    const { caFile: _, output: __, ...rest } = this.#options;
    const next = { ...rest, transport, ...(caFile && { caFile }), ...(output && { output }) };
    this.#make = this.#options.makeClient ?? iotEdgeClients(next);
    this.#limits = { ...this.#limits, sendTimeoutMs };
    const cause = reconfigured('the way to the hub was configured anew');
    if (this.#session) this.#session.end(cause);
    else this.#loop.hurry(cause);
  }

  async stop(): Promise<void> {
    this.#loop.stop(new HoldfastError('uplink-stopped', 'the uplink was stopped', { retryable: true }));
    await this.#session?.close(this.#limits.closeMs);
    await this.#running;
    this.#status.stopped();
  }

  #open(onTarget: (target: EdgeTarget) => void, signal: AbortSignal): Promise<EdgeSession> {
    return openEdgeSession({
      make: this.#make,
      events: {
        method: this.#methods.call,
        desired: (patch) => this.#onDesiredPatch(patch),
        input: (message) => this.#inputs?.(message) ?? Promise.reject(new Error('no input is handled')),
      },
      receiveInputs: this.#inputs !== undefined,
      limits: this.#limits,
      clock: this.#options.clock,
      onTarget,
      signal,
    });
  }

  async #live(session: EdgeSession): Promise<unknown> {
    const { clock, random, log, metrics } = this.#options;
    this.#session = session;
    metrics.count('holdfast_uplink_connects_total');
    this.#status.connected();
    const onReported = (found: Properties) => {
      for (const listener of this.#reportedListeners) listener(found);
    };
    const [desired, reported] = [this.#desired, this.#reported];
    const twin = syncTwin({ session, desired, reported, onReported, clock, random, log });
    this.#onDesiredPatch = twin.changed;
    const cause = await session.ended;
    twin.stop();
    this.#session = undefined;
    return cause;
  }
}

function reconfigured(message: string): HoldfastError {
  return new HoldfastError('uplink-reconfigured', message, { retryable: true });
}
