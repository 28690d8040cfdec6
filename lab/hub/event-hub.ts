// The Event Hub-compatible endpoint: tokens, runtime information and partition receivers, for any number of
// consumer groups. A receiver is only a position in a partition, so a slow one costs nothing.
import type { Log } from '../../kernel/log.ts';
import {
  asInt,
  type Connection,
  connectionOf,
  cutConnection,
  type LinkHandlers,
  type Message,
  type MessageHandler,
  type Receiver,
  refuseLink,
  type Sender,
  sendBudget,
  sendersOf,
} from './amqp.ts';
import { cbsAddress, cbsHandler } from './cbs.ts';
import type { EventLog, Partition } from './event-log.ts';
import { toMessage } from './event-message.ts';
import type { FaultState } from './faults.ts';
import type { Identities } from './identities.ts';
import { eventHubName, runtimeInformation } from './management.ts';
import { selectorOf, startSequence } from './selector.ts';

const managementAddress = '$management';
/** Event Hubs' own limit, for receivers without an owner level. */
const maxReceiversPerGroup = 5;
const maxBatch = 200;
const runtimeMetric = 'com.microsoft:enable-receiver-runtime-metric';

interface Reader {
  readonly link: Sender;
  readonly group: string;
  readonly partition: Partition;
  /** Owner level: the highest takes the partition for its group alone. */
  readonly epoch: number | undefined;
  readonly wantsMetric: boolean;
  next: number;
  sent: number;
  scheduled: boolean;
}

export interface EventHubReader {
  readonly group: string;
  readonly partition: number;
  /** Sequence number of what it is sent next, and how many are held from there on. */
  readonly next: number;
  readonly behind: number;
  readonly epoch: number | undefined;
}

export interface EventHubParts {
  readonly events: EventLog;
  readonly identities: Identities;
  readonly faults: FaultState;
  readonly log: Log;
}

export class EventHubEndpoint implements LinkHandlers {
  readonly #parts: EventHubParts;
  readonly #createdAt = Date.now();
  readonly #authorized = new WeakSet<Connection>();
  readonly #readers = new Set<Reader>();
  readonly #connections = new Set<Connection>();

  constructor(parts: EventHubParts) {
    this.#parts = parts;
    parts.events.onAppend((event) => {
      for (const reader of this.#readers)
        if (reader.partition.index === event.partition) this.#schedule(reader);
    });
  }

  get connections(): readonly Connection[] {
    return [...this.#connections];
  }

  /** Who reads what, how far behind. */
  get readers(): {
    group: string;
    partition: number;
    next: number;
    behind: number;
    epoch: number | undefined;
  }[] {
    return [...this.#readers].map(({ group, partition, next, epoch }) => ({
      group,
      partition: partition.index,
      next,
      behind: partition.nextSequence - next,
      epoch,
    }));
  }

  receiverOpened(receiver: Receiver): MessageHandler | undefined {
    const address = receiver.target?.address;
    this.#connections.add(connectionOf(receiver));
    if (address === cbsAddress)
      return cbsHandler(receiver, (token, name) => this.#putToken(receiver, token, name));
    if (address === managementAddress && this.#isAuthorized(receiver))
      return (message, delivery) => {
        delivery.accept();
        if (this.#parts.faults.cutsOn('management')) cutConnection(connectionOf(receiver));
        else if (!this.#parts.faults.isSilent('management')) this.#answer(receiver, message);
      };
    if (address !== managementAddress)
      refuseLink(receiver, { condition: 'amqp:not-allowed', description: `nothing is sent to ${address}` });
    return undefined;
  }

  senderOpened(sender: Sender): void {
    const address = sender.source?.address ?? '';
    this.#connections.add(connectionOf(sender));
    if (address === cbsAddress) return;
    if (!this.#isAuthorized(sender) || address === managementAddress) return;
    const match = /^\/?([^/]+)\/ConsumerGroups\/([^/]+)\/Partitions\/(\d+)$/i.exec(address);
    const partition = match ? this.#parts.events.partitions[Number(match[3])] : undefined;
    if (!match || !partition || match[1] !== eventHubName) {
      refuseLink(sender, { condition: 'amqp:not-found', description: `no such entity: ${address}` });
      return;
    }
    this.#read(sender, match[2]!, partition);
  }

  connectionClosed(connection: Connection): void {
    this.#connections.delete(connection);
    for (const reader of this.#readers)
      if (connectionOf(reader.link) === connection) this.#readers.delete(reader);
  }

  #putToken(receiver: Receiver, token: string, name: string) {
    const { faults, identities, log } = this.#parts;
    if (faults.cutsOn('cbs')) {
      cutConnection(connectionOf(receiver));
      return undefined;
    }
    if (faults.isSilent('cbs')) return undefined;
    if (faults.current.cbsStatus !== undefined)
      return { status: faults.current.cbsStatus, description: 'refused on demand' };
    const path = name.replace(/^\w+:\/\/[^/]+/, '');
    const check = identities.checkEventHubToken(token, path, Date.now());
    if (!check.ok) {
      log.warn({ code: 'uplink-unauthorized', problem: check.problem, name }, 'consumer token refused');
      return { status: 401, description: `unauthorized: ${check.problem}` };
    }
    this.#authorized.add(connectionOf(receiver));
    return { status: 202, description: 'Accepted' };
  }

  #isAuthorized(link: Sender | Receiver): boolean {
    const isAuthorized = this.#authorized.has(connectionOf(link));
    if (!isAuthorized)
      refuseLink(link, {
        condition: 'amqp:unauthorized-access',
        description: 'put a valid token to $cbs first',
      });
    return isAuthorized;
  }

  #read(link: Sender, group: string, partition: Partition): void {
    let next: number;
    try {
      next = startSequence(selectorOf(link.source?.filter), partition);
    } catch (error) {
      refuseLink(link, { condition: 'amqp:invalid-field', description: (error as Error).message });
      return;
    }
    const epoch = epochOf(link);
    if (!this.#makeRoom(link, group, partition, epoch)) return;
    const wantsMetric = [link.desired_capabilities ?? []].flat().map(String).includes(runtimeMetric);
    const reader: Reader = { link, group, partition, epoch, wantsMetric, next, sent: 0, scheduled: false };
    this.#readers.add(reader);
    for (const event of ['sender_flow', 'settled']) link.on(event, () => this.#schedule(reader));
    for (const event of ['sender_close', 'sender_error']) link.on(event, () => this.#readers.delete(reader));
    this.#schedule(reader);
  }

  /** An owner takes its partition from everyone of its group but a higher owner. */
  #makeRoom(link: Sender, group: string, partition: Partition, epoch: number | undefined): boolean {
    const others = [...this.#readers].filter(
      (r) => r.group === group && r.partition === partition && r.link.is_open(),
    );
    const highest = Math.max(...others.map((reader) => reader.epoch ?? -1));
    if (highest > (epoch ?? -1)) {
      refuseLink(link, stolen(`a receiver with owner level ${highest} reads partition ${partition.index}`));
      return false;
    }
    if (epoch === undefined && others.length >= maxReceiversPerGroup) {
      const description = `${maxReceiversPerGroup} receivers read partition ${partition.index} already`;
      refuseLink(link, { condition: 'amqp:resource-limit-exceeded', description });
      return false;
    }
    if (epoch === undefined) return true;
    for (const other of others) {
      this.#readers.delete(other);
      refuseLink(
        other.link,
        stolen(`a receiver with owner level ${epoch} took partition ${partition.index}`),
      );
    }
    return true;
  }

  // Sending waits for the next turn of the event loop: rhea counts credit down only then.
  #schedule(reader: Reader): void {
    if (reader.scheduled) return;
    reader.scheduled = true;
    setImmediate(() => {
      reader.scheduled = false;
      if (this.#readers.has(reader)) this.#pump(reader);
    });
  }

  #pump(reader: Reader): void {
    if (!reader.link.is_open()) return;
    const budget = Math.min(maxBatch, sendBudget(reader.link, reader.sent));
    for (let count = 0; count < budget; count++) {
      const event = reader.partition.at(reader.next);
      if (!event) return;
      reader.link.send(toMessage(event, reader.wantsMetric ? reader.partition.last : undefined));
      reader.sent++;
      reader.next = event.sequence + 1;
    }
    if (budget > 0 && reader.next < reader.partition.nextSequence) this.#schedule(reader);
  }

  #answer(receiver: Receiver, request: Message): void {
    const sender = sendersOf(connectionOf(receiver)).find(
      (link) => link.name === request.reply_to || link.target?.address === request.reply_to,
    );
    const { operation, type, partition } = request.application_properties ?? {};
    const body =
      operation === 'READ'
        ? runtimeInformation(this.#parts.events.partitions, this.#createdAt, String(type), partition)
        : undefined;
    const status = body ? 200 : 404;
    sender?.send({
      correlation_id: request.message_id as string,
      application_properties: {
        'status-code': asInt(status),
        'status-description': body ? 'OK' : 'not found',
      },
      body: body ?? {},
    });
  }
}

const stolen = (description: string) => ({ condition: 'amqp:link:stolen', description });

function epochOf(link: Sender): number | undefined {
  const value: unknown = link.properties?.['com.microsoft:epoch'];
  return value === undefined || value === null ? undefined : Number(value);
}
