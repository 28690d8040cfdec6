// A gateway's connection to the hub, with the failures that it can have.
import type { EdgeClient, EdgeClientEvents } from '../../../runtime/uplink/edge-client.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { Hub } from './hub.ts';
import { type Link, never } from './link.ts';

export class HubClient implements EdgeClient {
  readonly target = { host: 'hub', port: 5671 };
  readonly #hub: Hub;
  readonly #deviceId: string;
  readonly #link: Link;
  readonly #events: EdgeClientEvents;
  #isOver = false;
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

  async open(): Promise<void> {
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
    if (output !== undefined) this.#hub.lead(this.#deviceId, message);
    await this.#link.up();
    if (output === undefined) this.#hub.accept(this.#deviceId, message);
    await this.#link.down();
    if (this.#isOver) await never;
    return true;
  }

  async close(): Promise<void> {
    this.discard();
  }

  discard(): void {
    this.#isOver = true;
    this.#ignore();
    const device = this.#hub.device(this.#deviceId);
    if (device.events === this.#events) device.events = undefined;
  }

  /** There and back. */
  async #exchange(): Promise<void> {
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
