// Device-to-cloud messages: checked against the hub's limits, met by their fate, stored, settled.
import type { Log } from '../../kernel/log.ts';
import type { Random } from '../../kernel/random.ts';
import { randomInt } from '../../kernel/random.ts';
import { bodyBytes, connectionOf, cutConnection, type Delivery, idText, type Message } from './amqp.ts';
import type { EventLog, NewEvent } from './event-log.ts';
import type { FaultState, TelemetryFate } from './faults.ts';
import type { Identity } from './identities.ts';
import { messageIdProblem, refusal } from './limits.ts';

export interface TelemetryCounts {
  received: number;
  accepted: number;
  /** Accepted and then lost, on demand. */
  lost: number;
  duplicated: number;
  /** Never settled, on demand. */
  held: number;
  /** Refused by the hub's limits. */
  refused: number;
  throttled: number;
  /** Released, modified, rejected or cut, on demand. */
  failed: number;
  /** Message ids that break the documented rule. */
  badMessageIds: number;
}

export interface LostMessage {
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  readonly messageId: string | undefined;
  readonly properties: Readonly<Record<string, unknown>>;
}

export interface TelemetryParts {
  readonly events: EventLog;
  readonly faults: FaultState;
  readonly random: Random;
  readonly log: Log;
  /** Refuse message ids that break the documented rule; else they are only counted. */
  readonly strictMessageIds: boolean;
}

const maxRemembered = 10_000;
/** Of what is kept while there is no way to the cloud: beyond it the oldest is dropped, as edgeHub does when its time is over. */
const maxKept = 100_000;
/** A held-back message is let go after this long, however few have come behind it. */
const reorderFlushMs = 500;

export class Telemetry {
  readonly counts: TelemetryCounts = {
    received: 0,
    accepted: 0,
    lost: 0,
    duplicated: 0,
    held: 0,
    refused: 0,
    throttled: 0,
    failed: 0,
    badMessageIds: 0,
  };
  /** The newest of what was accepted and lost: what a test expects to see asked for again. */
  readonly lost: LostMessage[] = [];
  readonly #parts: TelemetryParts;
  readonly #shuffled: NewEvent[] = [];
  readonly #kept: NewEvent[] = [];
  #flushTimer: NodeJS.Timeout | undefined;

  constructor(parts: TelemetryParts) {
    this.#parts = parts;
  }

  receive(from: Identity, message: Message, delivery: Delivery): void {
    this.counts.received++;
    const event = toEvent(from, message);
    if (this.#isRefused(event, delivery)) return;
    const delayMs = this.#parts.faults.delayMs();
    if (delayMs > 0) setTimeout(() => this.#settle(event, delivery), delayMs).unref();
    else this.#settle(event, delivery);
  }

  /** Stores what is still held back for reordering. */
  flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    while (this.#shuffled.length > 0) this.#storeOneOf();
  }

  /** The way to the cloud is there again: all that was kept goes on, in order. */
  forward(): void {
    for (const event of this.#kept.splice(0)) this.#store(event);
  }

  #isRefused(event: NewEvent, delivery: Delivery): boolean {
    const idProblem = messageIdProblem(event.system.messageId);
    if (idProblem) {
      if (this.counts.badMessageIds++ === 0)
        this.#parts.log.warn({ code: 'wire-bad-message', problem: idProblem }, 'message id');
    }
    const error =
      refusal({ bodyBytes: event.body.length, properties: event.properties, system: event.system }) ??
      (idProblem && this.#parts.strictMessageIds
        ? { condition: 'com.microsoft:argument-error', description: idProblem }
        : undefined);
    if (!error) return false;
    this.counts.refused++;
    this.#parts.log.warn(
      { code: 'uplink-message-refused', deviceId: event.deviceId, ...error },
      'message refused',
    );
    delivery.reject(error);
    return true;
  }

  #settle(event: NewEvent, delivery: Delivery): void {
    const { batchId } = event.properties;
    const fate = this.#parts.faults.fateOf(typeof batchId === 'string' ? batchId : undefined, Date.now());
    this.#count(fate);
    for (let copy = 0; copy < copiesToStore(fate); copy++) this.#store(event);
    if (fate.kind === 'lose') this.#remember(event);
    settleAs(fate, delivery);
  }

  #count(fate: TelemetryFate): void {
    const { counts } = this;
    if (fate.kind === 'store' || fate.kind === 'lose') counts.accepted++;
    if (fate.kind === 'store') counts.duplicated += fate.copies - 1;
    else if (fate.kind === 'lose') counts.lost++;
    else if (fate.kind === 'hold') counts.held++;
    else if (fate.kind === 'rejected' && fate.condition === 'com.microsoft:device-container-throttled')
      counts.throttled++;
    else counts.failed++;
  }

  #store(event: NewEvent): void {
    if (this.#parts.faults.current.noUpstream) {
      this.#kept.push(event);
      if (this.#kept.length > maxKept) this.#kept.shift();
      return;
    }
    const depth = this.#parts.faults.reorderDepth;
    if (depth === 0 && this.#shuffled.length === 0) {
      this.#parts.events.append(event, Date.now());
      return;
    }
    this.#shuffled.push(event);
    while (this.#shuffled.length > depth) this.#storeOneOf();
    this.#flushTimer ??= setTimeout(() => this.flush(), reorderFlushMs).unref();
  }

  #storeOneOf(): void {
    const [event] = this.#shuffled.splice(randomInt(this.#parts.random, this.#shuffled.length), 1);
    this.#parts.events.append(event!, Date.now());
  }

  #remember({ deviceId, moduleId, system, properties }: NewEvent): void {
    this.lost.push({ deviceId, moduleId, messageId: system.messageId, properties });
    if (this.lost.length > maxRemembered) this.lost.splice(0, this.lost.length - maxRemembered);
  }
}

function copiesToStore(fate: TelemetryFate): number {
  if (fate.kind === 'store') return fate.copies;
  return (fate.kind === 'hold' || fate.kind === 'cut') && fate.store ? 1 : 0;
}

function settleAs(fate: TelemetryFate, delivery: Delivery): void {
  if (fate.kind === 'store' || fate.kind === 'lose') delivery.accept();
  else if (fate.kind === 'cut') cutConnection(connectionOf(delivery.link));
  else if (fate.kind === 'released') delivery.release();
  else if (fate.kind === 'modified') delivery.modified({ delivery_failed: true, undeliverable_here: false });
  else if (fate.kind === 'rejected' && fate.condition === undefined) delivery.reject();
  else if (fate.kind === 'rejected')
    delivery.reject({ condition: fate.condition!, description: fate.description });
}

function toEvent(from: Identity, message: Message): NewEvent {
  const { 'iothub-outputname': outputName, ...properties } = message.application_properties ?? {};
  const text = (value: unknown) => (value === undefined || value === null ? undefined : String(value));
  return {
    deviceId: from.deviceId,
    moduleId: from.moduleId,
    // Copied: the decoder's slice would keep the whole network buffer alive for as long as the event is held.
    body: Buffer.from(bodyBytes(message)),
    properties,
    system: {
      messageId: idText(message.message_id),
      correlationId: idText(message.correlation_id),
      contentType: text(message.content_type),
      contentEncoding: text(message.content_encoding),
      userId: text(message.user_id),
      outputName: text(outputName),
    },
  };
}
