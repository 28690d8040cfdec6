// The port to one connection to edgeHub or IoT Hub. A client lives for one connection: it is opened once and never
// reconnects. A caller that doubts it discards it and makes the next one.
//
// Promises of a client may stay pending for ever and its close may take a minute: that is how the library behind it fails.
// The uplink therefore sets its own time limit on each call.
import type { WireMessage } from '../../wire/mini-batch.ts';
import type { InputMessage, MethodAnswer } from './uplink.ts';

/** Who the module is: a connection string, or IoT Edge's own environment variables and workload API. */
export type EdgeIdentity =
  | { readonly kind: 'connection-string'; readonly connectionString: string }
  | { readonly kind: 'iot-edge' };

/** Where a client connects, for diagnosis. */
export interface EdgeTarget {
  readonly host: string;
  readonly port: number;
  /** PEM certificates that are trusted instead of the machine's own; absent: the machine's own. */
  readonly ca?: string;
}

export interface EdgeClientEvents {
  /** The connection is gone or in doubt. May come more than once, and before `open` has settled. */
  lost(cause: unknown): void;
  /** Never rejects. `payload` is undefined where the caller sent none. */
  method(name: string, payload: unknown): Promise<MethodAnswer>;
  /** A change of the twin's desired properties: a merge patch that holds `$version`. */
  desired(patch: Readonly<Record<string, unknown>>): void;
  /** Resolves when the message is taken over; a rejection gives it back to edgeHub. */
  input(message: InputMessage): Promise<void>;
}

export interface ReadTwin {
  readonly desired: Readonly<Record<string, unknown>>;
  readonly reported: Readonly<Record<string, unknown>>;
}

export interface EdgeClient {
  readonly target: EdgeTarget;
  /** Connects and authenticates. Call once. */
  open(): Promise<void>;
  /** Resolves once direct methods reach `events.method`, whatever their names. */
  serveMethods(): Promise<void>;
  /** Resolves once changes of the desired properties reach `events.desired`. */
  watchDesired(): Promise<void>;
  /** The twin, whole; its desired properties with `$version`. */
  readTwin(): Promise<ReadTwin>;
  /** Resolves once messages for the module's inputs reach `events.input`. */
  receiveInputs(): Promise<void>;
  /** Merges into the twin's reported properties. */
  report(patch: Readonly<Record<string, unknown>>): Promise<void>;
  /** True when the hub accepted the message; false when it was settled in any other way. `output`: instead of the usual one. */
  send(message: WireMessage, output?: string): Promise<boolean>;
  /** Closes in good order. May take very long: follow with `discard`. */
  close(): Promise<void>;
  /**
   * Ends the client at once: the socket is destroyed, timers are stopped, and nothing it still does inside
   * can connect or send again. Idempotent, never throws.
   */
  discard(): void;
}

/** Makes a client, not yet open. Rejects where not even that works: bad identity, no workload API. */
export type MakeEdgeClient = (events: EdgeClientEvents) => Promise<EdgeClient>;
