// An uplink without a network, for tests and the simulation. It keeps the contract of uplink.ts (the contract
// suite runs against it) and does what it is told: cut, healed, holding, giving back, refusing.
import { HoldfastError } from '../../../kernel/errors.ts';
import { maxMessageBytes } from '../../../wire/limits.ts';
import { messageBytes } from '../../../wire/message-size.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import { joinPatches, type TwinObject } from '../merge-patch.ts';
import type { MethodAnswer, MethodHandler, Uplink, UplinkState } from '../uplink.ts';

/** `hold`: stays in flight until `releaseHeld`. `lose`: acknowledged, and never arrives. */
export type Fate = 'accept' | 'hold' | 'lose' | HoldfastError;

export interface FakeUplink extends Uplink {
  readonly received: readonly WireMessage[];
  readonly reported: TwinObject;
  /** Decides each message's fate. Default: all are accepted. */
  onSend: (message: WireMessage) => Fate | Promise<Fate>;
  /** The network goes: what is in flight rejects. */
  cut(diagnosis?: string): void;
  heal(): void;
  /** Accepts all that is held. */
  releaseHeld(): void;
  readonly inFlight: number;
  call(name: string, payload?: unknown): Promise<MethodAnswer>;
}

export function createFakeUplink(now: () => number = () => 0): FakeUplink {
  return new InMemoryUplink(now);
}

interface Sending {
  readonly message: WireMessage;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class InMemoryUplink implements FakeUplink {
  readonly received: WireMessage[] = [];
  reported: TwinObject = {};
  onSend: FakeUplink['onSend'] = () => 'accept';
  readonly #now: () => number;
  readonly #listeners = new Set<(state: UplinkState) => void>();
  readonly #methods = new Map<string, MethodHandler>();
  readonly #sending = new Set<Sending>();
  readonly #held = new Set<Sending>();
  #waiting: TwinObject = {};
  #started = false;
  #stopped = false;
  #reachable = true;
  #state: UplinkState;

  constructor(now: () => number) {
    this.#now = now;
    this.#state = { connected: false, since: now(), diagnosis: 'not connected yet' };
  }

  get inFlight(): number {
    return this.#sending.size;
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    queueMicrotask(() => this.#connect());
  }

  state(): UplinkState {
    return this.#state;
  }

  onState(listener: (state: UplinkState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async send(message: WireMessage): Promise<void> {
    if (messageBytes(message) > maxMessageBytes) {
      throw new HoldfastError('uplink-message-refused', 'the message is too large');
    }
    if (!this.#state.connected) throw lost('there is no connection', 'uplink-not-connected');
    await new Promise<void>((resolve, reject) => {
      const sending = { message, resolve, reject };
      this.#sending.add(sending);
      void this.#decide(sending);
    });
  }

  handleMethod(name: string, handler: MethodHandler): void {
    this.#methods.set(name, handler);
  }

  report(patch: TwinObject): void {
    this.#waiting = joinPatches(this.#waiting, patch);
    this.#flush();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#fail(lost('the uplink was stopped', 'uplink-stopped'));
    this.#set({ connected: false, since: this.#now(), diagnosis: 'stopped' });
  }

  cut(diagnosis = 'the network is cut'): void {
    this.#reachable = false;
    this.#fail(lost(diagnosis, 'uplink-connection-lost'));
    if (this.#state.connected) this.#set({ connected: false, since: this.#now(), diagnosis });
  }

  heal(): void {
    this.#reachable = true;
    this.#connect();
  }

  releaseHeld(): void {
    for (const sending of this.#held) this.#accept(sending);
    this.#held.clear();
  }

  async call(name: string, payload?: unknown): Promise<MethodAnswer> {
    const handler = this.#methods.get(name);
    if (!handler) return { status: 404, body: { error: 'no such method' } };
    try {
      return await handler(payload);
    } catch {
      return { status: 500, body: { error: 'the method failed' } };
    }
  }

  async #decide(sending: Sending): Promise<void> {
    // A network is never instantaneous: who sends must not be answered in the same turn.
    await Promise.resolve();
    const fate = await this.onSend(sending.message);
    if (!this.#sending.has(sending)) return;
    if (fate === 'hold') this.#held.add(sending);
    else if (fate === 'accept') this.#accept(sending);
    else {
      this.#sending.delete(sending);
      if (fate === 'lose') sending.resolve();
      else sending.reject(fate);
    }
  }

  #accept(sending: Sending): void {
    if (!this.#sending.delete(sending)) return;
    this.received.push(sending.message);
    sending.resolve();
  }

  #fail(error: HoldfastError): void {
    for (const { reject } of this.#sending) reject(error);
    this.#sending.clear();
    this.#held.clear();
  }

  #connect(): void {
    if (!this.#started || this.#stopped || !this.#reachable || this.#state.connected) return;
    this.#set({ connected: true, since: this.#now() });
    this.#flush();
  }

  #flush(): void {
    if (!this.#state.connected) return;
    this.reported = joinPatches(this.reported, this.#waiting);
    this.#waiting = {};
  }

  #set(state: UplinkState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

function lost(message: string, code: string): HoldfastError {
  return new HoldfastError(code, message, { retryable: true });
}
