// The port to the cloud. Implementations own connecting, reconnecting, timeouts and diagnosis; callers see only: connected
// or not, sent or not.
import type { WireMessage } from '../../wire/mini-batch.ts';

export interface UplinkState {
  readonly connected: boolean;
  /** Without a hub: where messages go instead. */
  readonly sink?: string;
  /** When it changed last, epoch ms, by the wall clock as it is set now. */
  readonly since: number;
  /** Why not connected, for people: what, where and what to do. */
  readonly diagnosis?: string;
}

export interface MethodAnswer {
  /** As HTTP has them. */
  readonly status: number;
  readonly body: unknown;
}

/** A message that a route led to one of this module's inputs. */
export interface InputMessage {
  /** Name of the module input. */
  readonly input: string;
  readonly messageId?: string;
  readonly contentType?: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Answers a direct method. May throw: the caller of the method then reads status 500. */
export type MethodHandler = (payload: unknown) => Promise<MethodAnswer>;

export interface Uplink {
  /** Starts connecting, for ever, in the background. Never rejects: trouble shows in `state`. */
  start(): void;
  state(): UplinkState;
  /** Calls `listener` after each change of state. Returns the way to stop that. */
  onState(listener: (state: UplinkState) => void): () => void;
  /**
   * Resolves when the hub (edgeHub) has acknowledged the message, and only then. Rejects with a
   * HoldfastError; retryable unless the message itself is at fault (`uplink-message-refused`). A rejected
   * message may have arrived all the same: sending is at least once. Several sends may be in flight. `output`: the module
   * output that it goes to, for routes to lead on from; absent, the one that is configured.
   */
  send(message: WireMessage, output?: string): Promise<void>;
  /** Registers a direct method, for this and every later connection. Call before `start`. */
  handleMethod(name: string, handler: MethodHandler): void;
  /** Merges into the module twin's reported properties when connected; the last value wins. */
  report(patch: Readonly<Record<string, unknown>>): void;
  /** Closes the connection and gives up sends in flight (they reject). Bounded: 5 s. */
  stop(): Promise<void>;
}
