// What the hub offers to the program that starts it; the control port offers the same by HTTP.
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import type { DeviceMessage } from './device-endpoint.ts';
import type { EventHubReader } from './event-hub.ts';
import type { Retention, StoredEvent } from './event-log.ts';
import type { Endpoint, FaultPatch, Faults, Where } from './faults.ts';
import type { RestartOptions } from './front.ts';
import type { Identity } from './identities.ts';
import type { MethodCall, MethodResult } from './methods.ts';
import type { Route, RouteCounts } from './routes.ts';
import type { LostMessage, TelemetryCounts } from './telemetry.ts';
import type { JsonObject, Twin } from './twins.ts';

export interface HubOptions {
  /** Certificates and the secret that keys are derived from. Without it a temporary folder, removed at stop. */
  readonly dataFolder?: string;
  /** Ports; 0 or nothing for a free one. */
  readonly amqpsPort?: number;
  readonly httpsPort?: number;
  readonly eventHubPort?: number;
  readonly controlPort?: number;
  /** Where devices and modules connect to; all other ports stay on loopback. Default 127.0.0.1. */
  readonly deviceHost?: string;
  /** The name by which devices and modules call the hub; its certificates carry it. Default localhost. */
  readonly deviceHostName?: string;
  /** Default: workload.sock in the data folder. */
  readonly workloadSocket?: string;
  /** Default 4. */
  readonly partitions?: number;
  readonly retention?: Partial<Retention>;
  /** Refuse message ids that break the documented rule, instead of counting them. */
  readonly strictMessageIds?: boolean;
  readonly log?: Log;
  /** For faults that have a probability. */
  readonly random?: Random;
}

export interface HubState {
  readonly connections: Readonly<Record<Endpoint, number>>;
  /** `device` or `device/module`, for each valid token on an open connection. */
  readonly connected: readonly string[];
  readonly counts: Readonly<TelemetryCounts>;
  /** `stored` ever, `held` now. */
  readonly events: { stored: number; held: number; heldBytes: number; evicted: number };
  readonly partitions: readonly { partition: number; firstSequence: number; nextSequence: number }[];
  readonly readers: readonly EventHubReader[];
  readonly methods: { called: number; answered: number; offline: number; timedOut: number };
  readonly routes: Readonly<RouteCounts>;
  readonly faults: Faults;
}

export interface Hub {
  readonly amqpsPort: number;
  readonly httpsPort: number;
  readonly eventHubPort: number;
  readonly controlPort: number;
  /** PEM of the authority to trust. Its content changes when the certificate is changed to `new-ca`. */
  readonly caFile: string;
  readonly workloadSocket: string;
  readonly serviceConnectionString: string;
  readonly eventHubConnectionString: string;
  /** Registers the device or module if need be. */
  deviceConnectionString(deviceId: string, moduleId?: string): string;
  /** What IoT Edge sets for a module, for `ModuleClient.fromEnvironment`. */
  edgeEnvironment(deviceId: string, moduleId: string): Record<string, string>;
  register(deviceId: string, moduleId?: string): Identity;
  state(): HubState;
  /** Held events from the ordinal on, oldest first. */
  events(from?: number, limit?: number): StoredEvent[];
  /** What was accepted and lost on demand, newest last. */
  lost(): readonly LostMessage[];
  onEvent(listener: (event: StoredEvent) => void): () => void;
  setFaults(patch: FaultPatch): Promise<Faults>;
  clearFaults(): Promise<void>;
  /** Cuts TCP connections, all by default; returns how many. */
  drop(where?: Where): number;
  /** Sends AMQP Close to every AMQP connection, with `amqp:connection:forced` by default; returns how many. */
  close(where?: Where, condition?: string): number;
  /** Cuts everything, listens to nothing for `downMs`, comes back, with another certificate if asked. */
  restart(options?: RestartOptions): Promise<void>;
  setDesired(deviceId: string, moduleId: string | undefined, patch: JsonObject): Twin;
  twin(deviceId: string, moduleId?: string): Twin;
  /** To a module's input or to a device; false when nobody listens there. */
  deliver(deviceId: string, moduleId: string | undefined, message: DeviceMessage): boolean;
  /** Hands what a module sends to an output to another module's input, as edgeHub does: see routes.ts. */
  route(route: Route, ackTimeoutMs?: number): void;
  /** Routed messages that a module has not completed. */
  waitingFor(deviceId: string, moduleId: string): number;
  invoke(call: MethodCall): Promise<MethodResult>;
  stop(): Promise<void>;
}
