// The hub: event partitions, twins, direct methods. What it acknowledged it keeps, unless it is told to lose it.

import type { MethodOutcome } from '../../../cloud-lite/repair/hub-methods.ts';
import type { EdgeClientEvents } from '../../../runtime/uplink/edge-client.ts';
import { applyPatch } from '../../../runtime/uplink/merge-patch.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import { EdgeHub } from './edge-hub.ts';
import type { Link } from './link.ts';
import type { Trace } from './trace.ts';
import { isRefused } from './twin.ts';
import type { WorldTime } from './world-time.ts';

export interface HubEvent {
  readonly sequenceNumber: number;
  readonly enqueuedAt: number;
  readonly deviceId: string;
  readonly message: WireMessage;
}

/** What the library that speaks to the hub does wrong just now, on a network that is well: see hub-client.ts. */
export type ClientTrouble = 'unaccepted' | 'mute' | 'forced' | 'hangs' | 'refused' | 'resends' | 'slow-close';

interface Device {
  readonly link: Link;
  trouble: ClientTrouble | undefined;
  /** Where there is one, messages and methods go through it. */
  readonly edgeHub: EdgeHub | undefined;
  partition: number;
  desired: Record<string, unknown>;
  /** By elapsed time: since when no module runs that. */
  refusedSince: number | undefined;
  version: number;
  reported: Record<string, unknown>;
  /** Of the connection that methods go over. */
  events: EdgeClientEvents | undefined;
}

/** What a detector reads of the hub. */
export type HubPartitions = Pick<Hub, 'createdAt' | 'events' | 'newest'>;

export const partitionCount = 2;
const methodTimeoutMs = 15_000;

const emptyPartitions = (): { first: number; events: HubEvent[] }[] =>
  Array.from({ length: partitionCount }, () => ({ first: 0, events: [] }));

export class Hub {
  #partitions = emptyPartitions();
  readonly #time: WorldTime;
  readonly #trace: Trace;
  readonly #devices = new Map<string, Device>();
  /** So many of the messages to come are acknowledged and lost. */
  loses = 0;
  /** So many are stored twice. */
  repeats = 0;
  /** So many methods are lost on their way there, and so many answers on their way back. */
  losesCalls = 0;
  losesAnswers = 0;
  /** So many of the messages to come are stored only so much later, behind others. */
  delays = { count: 0, byMs: 0 };
  /** By the wall clock, when it was made. */
  createdAt: number;
  /** Requests that a module said it has taken, by device: when it did, by elapsed time. */
  readonly taken = new Map<string, Map<string, number>>();
  /** Told of each event that is stored. */
  onEvent: (event: HubEvent) => void = () => {};
  /** A message is taken, and may still be lost on its way. */
  onTaken: (deviceId: string, message: WireMessage) => void = () => {};
  /** Told of each method that somebody calls, when it leaves. */
  onCall: (deviceId: string, method: string, payload: object) => void = () => {};
  /** Told of what a module sends to an output, once it does. */
  onAction: (deviceId: string, message: WireMessage) => void = () => {};

  constructor(time: WorldTime, trace: Trace) {
    this.#time = time;
    this.#trace = trace;
    this.createdAt = time.wall;
  }

  /** `upstream`: from the gateway's edgeHub to here; absent, the module talks to the hub itself. */
  register(
    deviceId: string,
    link: Link,
    desired: Record<string, unknown>,
    upstream?: Link,
  ): EdgeHub | undefined {
    const partition = this.#devices.size % partitionCount;
    const forward = (message: WireMessage) => this.#arrive(deviceId, message);
    const edgeHub = upstream && new EdgeHub(deviceId, upstream, this.#time, this.#trace, forward);
    const none = { trouble: undefined, refusedSince: undefined, version: 1, reported: {}, events: undefined };
    const device: Device = { link, edgeHub, partition, desired, ...none };
    this.#devices.set(deviceId, device);
    return edgeHub;
  }

  /** Of one device, what has not been removed. */
  held(deviceId: string): readonly HubEvent[] {
    return this.#partitions.flatMap(({ events }) => events.filter((event) => event.deviceId === deviceId));
  }

  /** What the partition still holds behind `after`, in order, at most `count`. */
  events(partition: number, after: number, count = Number.POSITIVE_INFINITY): readonly HubEvent[] {
    const { first, events } = this.#partitions[partition]!;
    const from = Math.max(0, after + 1 - first);
    return events.slice(from, from + count);
  }

  /** Retention: events that were stored before are gone, whoever has read them. */
  shorten(before: number): void {
    for (const [n, partition] of this.#partitions.entries()) {
      const kept = partition.events.filter(({ enqueuedAt }) => enqueuedAt >= before);
      this.#trace.note('hub', `partition ${n} loses ${partition.events.length - kept.length} events`);
      partition.first += partition.events.length - kept.length;
      partition.events = kept;
    }
  }

  /** Somebody deletes it, and makes another of the same name: no event of it is left, and numbers begin again. */
  remake(): void {
    const lost = this.#partitions.reduce((sum, { events }) => sum + events.length, 0);
    this.#trace.note('hub', `is made anew; ${lost} events are gone`);
    this.#partitions = emptyPartitions();
    this.createdAt = this.#time.wall;
  }

  /** Of its newest event; `sequenceNumber` is -1 before the first. */
  newest(partition: number): { readonly sequenceNumber: number; readonly enqueuedAt: number } {
    const { first, events } = this.#partitions[partition]!;
    return { sequenceNumber: first + events.length - 1, enqueuedAt: events.at(-1)?.enqueuedAt ?? 0 };
  }

  /** From now on what the device sends lies in another partition. */
  move(deviceId: string): void {
    const device = this.device(deviceId);
    device.partition = (device.partition + 1) % partitionCount;
  }

  /** Somebody changes the twin's desired properties. */
  desire(deviceId: string, patch: Readonly<Record<string, unknown>>): void {
    const device = this.device(deviceId);
    device.desired = applyPatch(device.desired, structuredClone(patch)) as Record<string, unknown>;
    device.refusedSince = isRefused(device.desired) ? (device.refusedSince ?? this.#time.elapsed) : undefined;
    device.version += 1;
    const { link, events, version } = device;
    if (events === undefined) return;
    void link.down().then(() => events.desired({ ...structuredClone(patch), $version: version }));
  }

  device(deviceId: string): Device {
    return this.#devices.get(deviceId)!;
  }

  twin(deviceId: string) {
    const { desired, version, reported } = this.device(deviceId);
    return structuredClone({ desired: { ...desired, $version: version }, reported });
  }

  report(deviceId: string, patch: Readonly<Record<string, unknown>>): void {
    const device = this.device(deviceId);
    device.reported = applyPatch(device.reported, structuredClone(patch)) as Record<string, unknown>;
  }

  /** To another module: the hub on the gateway leads it on. */
  lead(deviceId: string, message: WireMessage): void {
    this.#trace.note('hub', `leads on ${message.messageId} of ${deviceId}`);
    this.onAction(deviceId, message);
  }

  /** The hub, or edgeHub in its place, takes a message, and is about to acknowledge it. */
  accept(deviceId: string, message: WireMessage): void {
    const { edgeHub } = this.device(deviceId);
    this.onTaken(deviceId, message);
    if (edgeHub === undefined) this.#arrive(deviceId, message);
    else edgeHub.take(message);
  }

  #arrive(deviceId: string, message: WireMessage): void {
    if (this.loses > 0) {
      this.loses -= 1;
      this.#trace.note('hub', `acknowledges and loses ${message.messageId} of ${deviceId}`);
      return;
    }
    if (this.delays.count > 0) {
      this.delays.count -= 1;
      this.#trace.note('hub', `holds ${message.messageId} of ${deviceId} back for ${this.delays.byMs} ms`);
      this.#time.setTimer(this.delays.byMs, () => this.#store(deviceId, message));
      return;
    }
    this.#store(deviceId, message);
    if (this.repeats === 0) return;
    this.repeats -= 1;
    this.#store(deviceId, message);
  }

  async invoke(deviceId: string, method: string, payload: object): Promise<MethodOutcome> {
    this.onCall(deviceId, method, payload);
    const device = this.#devices.get(deviceId);
    const { link, events } = device ?? {};
    if (events === undefined || link === undefined) return { kind: 'unreachable', detail: 'not connected' };
    const upstream = device?.edgeHub?.upstream;
    if (upstream !== undefined && upstream.state !== 'up')
      return { kind: 'unreachable', detail: 'not connected' };
    const answered = this.#over(link, events, method, payload);
    const late = this.#time.sleep(methodTimeoutMs).then((): MethodOutcome => {
      return { kind: 'unreachable', detail: 'no answer' };
    });
    const outcome = await Promise.race([answered, late]);
    const { requestId } = payload as { requestId?: string };
    const status = outcome.kind === 'answered' ? ` ${outcome.status}` : '';
    if (status === ' 202' && requestId !== undefined) {
      const taken = this.taken.get(deviceId) ?? new Map<string, number>();
      this.taken.set(deviceId, taken.set(requestId, taken.get(requestId) ?? this.#time.elapsed));
    }
    this.#trace.note('hub', `${method} ${requestId} of ${deviceId}: ${outcome.kind}${status}`);
    return outcome;
  }

  async #over(link: Link, events: EdgeClientEvents, method: string, payload: object): Promise<MethodOutcome> {
    const isLost = this.losesCalls > 0;
    if (isLost) this.losesCalls -= 1;
    await link.down();
    if (isLost) return new Promise(() => {});
    const { status, body } = await events.method(method, structuredClone(payload));
    await link.up();
    if (this.losesAnswers > 0) {
      this.losesAnswers -= 1;
      return new Promise(() => {});
    }
    return { kind: 'answered', status, payload: structuredClone(body) };
  }

  #store(deviceId: string, message: WireMessage): void {
    const { first, events } = this.#partitions[this.device(deviceId).partition]!;
    const sequenceNumber = first + events.length;
    const event = { sequenceNumber, enqueuedAt: this.#time.wall, deviceId, message };
    events.push(event);
    this.#trace.note('hub', `stores ${message.messageId} of ${deviceId}`);
    this.onEvent(event);
  }
}
