// The uplink to edgeHub or IoT Hub: keeps one session alive for ever. Retries, time limits and doubt are its
// own; of the client library it uses single connections only, each thrown away at the first failure.
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Random } from '../../kernel/random.ts';
import { maxMessageBytes } from '../../wire/limits.ts';
import { messageBytes } from '../../wire/message-size.ts';
import { failureKind } from './client-errors.ts';
import { createConnectionLoop } from './connection-loop.ts';
import { createDesiredProperties } from './desired-properties.ts';
import { createDiagnose, type Diagnose } from './diagnose.ts';
import type { EdgeIdentity, MakeEdgeClient } from './edge-client.ts';
import { type EdgeSession, openEdgeSession, type SessionLimits } from './edge-session.ts';
import { iotEdgeClients } from './iot-edge-client.ts';
import { createMethodDispatch } from './method-dispatch.ts';
import { isReachable } from './probe.ts';
import type { ReconnectLimits } from './reconnect-pause.ts';
import { createReportedProperties } from './reported-properties.ts';
import type { Reach } from './return-watch.ts';
import { syncTwin } from './twin-sync.ts';
import type { InputMessage, Uplink } from './uplink.ts';
import { createUplinkStatus } from './uplink-status.ts';

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
  /** Name of the module output; without it, messages go to the module's plain telemetry endpoint. */
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
   * connection anew, with the inputs attached.
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
  const { clock, random, log, metrics } = options;
  let limits: EdgeUplinkLimits = { ...defaultUplinkLimits, ...options.limits };
  let make = options.makeClient ?? iotEdgeClients({ ...options, transport: options.transport ?? 'amqp' });
  const status = createUplinkStatus({
    clock,
    log,
    metrics,
    diagnose: options.diagnose ?? createDiagnose(clock),
    intervalMs: limits.diagnoseIntervalMs,
  });
  const methods = createMethodDispatch({ ...limits, clock, log, metrics });
  const desired = createDesiredProperties((error) =>
    log.error({ err: error }, 'desired properties not taken'),
  );
  const reported = createReportedProperties({
    clock,
    minIntervalMs: limits.reportIntervalMs,
    maxBytes: 16 * 1024,
    isRefusal: (error) => failureKind(error) === 'refused',
    onDropped: (reason) => log.warn({ reason }, 'reported properties dropped'),
  });
  const reportedListeners = new Set<(reported: Readonly<Record<string, unknown>>) => void>();
  const onReported = (found: Readonly<Record<string, unknown>>) => {
    for (const listener of reportedListeners) listener(found);
  };
  let inputs: ((message: InputMessage) => Promise<void>) | undefined;
  let session: EdgeSession | undefined;
  let running: Promise<void> | undefined;
  let onDesiredPatch: (patch: Readonly<Record<string, unknown>>) => void = () => {};

  const loop = createConnectionLoop({
    open(onTarget, signal) {
      metrics.count('holdfast_uplink_connects_total');
      return openEdgeSession({
        make,
        events: {
          method: methods.call,
          desired: (patch) => onDesiredPatch(patch),
          input: (message) => inputs?.(message) ?? Promise.reject(new Error('no input is handled')),
        },
        receiveInputs: inputs !== undefined,
        limits,
        clock,
        onTarget,
        signal,
      });
    },
    live,
    onLost: status.lost,
    reach: options.reach ?? ((target) => isReachable(target, clock, reachLimitMs)),
    limits,
    clock,
    random,
  });

  async function live(opened: EdgeSession): Promise<unknown> {
    session = opened;
    status.connected();
    const twin = syncTwin({ session: opened, desired, reported, onReported, clock, random, log });
    onDesiredPatch = twin.changed;
    const cause = await opened.ended;
    twin.stop();
    session = undefined;
    return cause;
  }

  return {
    start() {
      running ??= loop.run();
    },
    state: status.state,
    onState: status.onState,
    async send(message, output) {
      if (messageBytes(message) > maxMessageBytes) {
        throw new HoldfastError('uplink-message-refused', `the message is over ${maxMessageBytes} bytes`);
      }
      if (!session) {
        throw new HoldfastError('uplink-not-connected', 'there is no connection', { retryable: true });
      }
      await session.send(message, output);
    },
    handleMethod: methods.handle,
    report: reported.add,
    onDesired: desired.subscribe,
    onReported(listener) {
      reportedListeners.add(listener);
      return () => reportedListeners.delete(listener);
    },
    handleInputs(handler) {
      const isAttached = inputs !== undefined;
      inputs = handler;
      const message = 'the connection was made without inputs';
      if (!isAttached) session?.end(new HoldfastError('uplink-reconfigured', message, { retryable: true }));
    },
    renew(cause) {
      session?.end(cause);
    },
    reconfigure({ transport, caFile, output, sendTimeoutMs }) {
      const { caFile: _, output: __, ...rest } = options;
      const next = { ...rest, transport, ...(caFile && { caFile }), ...(output && { output }) };
      make = options.makeClient ?? iotEdgeClients(next);
      limits = { ...limits, sendTimeoutMs };
      const message = 'the way to the hub was configured anew';
      const cause = new HoldfastError('uplink-reconfigured', message, { retryable: true });
      if (session) session.end(cause);
      else loop.hurry(cause);
    },
    async stop() {
      loop.stop(new HoldfastError('uplink-stopped', 'the uplink was stopped', { retryable: true }));
      await session?.close(limits.closeMs);
      await running;
      status.stopped();
    },
  };
}
