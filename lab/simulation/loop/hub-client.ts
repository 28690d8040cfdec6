// A gateway's connection to the hub, with the failures that it can have: those of the network (link.ts), and those of the library
// on a network that is well. Of the library, as its wrapper lets them through:
//
// - `unaccepted`: a message is given back (released, modified, rejected), and the promise resolves all the same: false.
// - `mute`: what is sent is never settled; every other one has arrived.
// - `forced`: the hub closes by force; what is under way stalls for 45 s, then fails, and so does what is tried meanwhile.
// - `hangs`: connecting, registering and reading the twin never settle.
// - `refused`: no connection can be made (name, certificate, port: the library calls all of them the same).
// - `resends`: what was in flight when the client was closed arrives minutes later, by a connection that nobody made.
// - `slow-close`: closing takes 45 s.
import type { EdgeClient, EdgeClientEvents } from '../../../runtime/uplink/edge-client.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { ClientTrouble, Hub } from './hub.ts';
import { type Link, never } from './link.ts';

const stallMs = 45_000;
const resentAfterMs = 250_000;

export class HubClient implements EdgeClient {
  readonly target = { host: 'hub', port: 5671 };
  readonly #hub: Hub;
  readonly #deviceId: string;
  readonly #link: Link;
  readonly #events: EdgeClientEvents;
  #isOver = false;
  #sent = 0;
  /** Messages, and their bytes, that are sent and not settled. */
  readonly #inFlight = new Map<number, { readonly bytes: number; readonly isAction: boolean }>();
  readonly #ignore: () => void;

  constructor(hub: Hub, deviceId: string, events: EdgeClientEvents) {
    this.#hub = hub;
    this.#deviceId = deviceId;
    this.#events = events;
    this.#link = hub.device(deviceId).link;
    this.#ignore = this.#link.onChange((state) => {
      if (state === 'down') this.#lost();
    });
  }

  get inFlight(): Readonly<Record<'messages' | 'actions' | 'bytes', number>> {
    const all = this.#isOver ? [] : [...this.#inFlight.values()];
    const actions = all.filter(({ isAction }) => isAction).length;
    return { messages: all.length - actions, actions, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  async open(): Promise<void> {
    if (this.#trouble === 'refused') {
      await this.#link.time.sleep(100);
      throw failure('NotConnectedError', 'unable to connect');
    }
    await this.#exchange();
  }

  async serveMethods(): Promise<void> {
    await this.#exchange();
    if (!this.#isOver) this.#hub.device(this.#deviceId).events = this.#events;
  }

  watchDesired(): Promise<void> {
    return this.#exchange();
  }

  receiveInputs(): Promise<void> {
    return this.#exchange();
  }

  async readTwin() {
    await this.#exchange();
    return this.#hub.twin(this.#deviceId);
  }

  async report(patch: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#link.up();
    this.#hub.report(this.#deviceId, patch);
    await this.#link.down();
  }

  /** What was sent may arrive although the connection, or the process, is gone meanwhile. */
  async send(message: WireMessage, output?: string): Promise<boolean> {
    if (this.#isOver) throw new Error('the connection is closed');
    const n = ++this.#sent;
    this.#inFlight.set(n, { bytes: message.body.byteLength, isAction: output !== undefined });
    try {
      return await this.#send(n, message, output);
    } finally {
      this.#inFlight.delete(n);
    }
  }

  async #send(n: number, message: WireMessage, output: string | undefined): Promise<boolean> {
    const trouble = this.#trouble;
    if (trouble === 'forced') await this.#stall();
    if (trouble === 'unaccepted') {
      await this.#link.up();
      await this.#link.down();
      return false;
    }
    if (output !== undefined) this.#hub.lead(this.#deviceId, message);
    await this.#link.up();
    const isMute = trouble === 'mute';
    if (output === undefined && !(isMute && n % 2 === 0)) this.#hub.accept(this.#deviceId, message);
    if (isMute) await never();
    if (trouble === 'resends' && output === undefined) {
      this.#link.time.setTimer(resentAfterMs, () => this.#hub.accept(this.#deviceId, message));
      await never();
    }
    await this.#link.down();
    if (this.#isOver) await never();
    return true;
  }

  async close(): Promise<void> {
    if (this.#trouble === 'slow-close') await this.#link.time.sleep(stallMs);
    this.discard();
  }

  discard(): void {
    this.#isOver = true;
    this.#ignore();
    const device = this.#hub.device(this.#deviceId);
    if (device.events === this.#events) device.events = undefined;
  }

  get #trouble(): ClientTrouble | undefined {
    return this.#hub.device(this.#deviceId).trouble;
  }

  async #stall(): Promise<never> {
    await this.#link.time.sleep(stallMs);
    throw failure('ServiceUnavailableError', 'amqp:connection:forced');
  }

  /** There and back. */
  async #exchange(): Promise<void> {
    if (this.#trouble === 'hangs') await never();
    if (this.#trouble === 'forced') await this.#stall();
    if (this.#link.state === 'down') throw new Error('connect ECONNREFUSED');
    await this.#link.up();
    await this.#link.down();
  }

  #lost(): void {
    if (this.#isOver) return;
    this.discard();
    this.#events.lost(new Error('read ECONNRESET'));
  }
}

/** As the library makes them. */
function failure(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
