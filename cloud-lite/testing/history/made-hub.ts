// The hub of a history: which of the messages sent to it are still there. It is made anew under its name, it is replaced by
// another, or its retention removes events that were not read yet.
import { type Random, randomInt } from '../../../kernel/random.ts';
import type { PartitionRef } from '../../ingest/event-source.ts';
import type { HubSight } from '../../ingest/hub-identity.ts';
import { devices, type LoggedMessage, type MadeMessage } from './made-message.ts';

export const consumerGroup = 'group';

export type HubEvent = 'remade' | 'moved' | 'shortened';

export class MadeHub {
  name = 'hub';
  createdAt = 1;
  /** Another one for each hub that there was. */
  incarnation = 1;
  /** A detector has begun a session with it: checkpoints of its name are its own. */
  isKnown = true;
  /** Events of which it states a number or a time that cannot be. */
  wrong = 0;
  /** By partition: all that it was ever sent. */
  logs: LoggedMessage[][] = [[], []];
  /** By partition: the sequence number of the oldest message that it still has. */
  oldest: number[] = [0, 0];

  get partitions(): number {
    return this.logs.length;
  }

  /** A device's messages always go to the same partition. */
  take(message: MadeMessage, at: number, odd: { next(): number } | undefined): void {
    const log = this.logs[this.partitionOf(message.deviceId)]!;
    log.push({ message, at, ...(odd !== undefined && log.length > 0 && this.#timeOf(message, odd)) });
    if (odd === undefined || odd.next() > 0.03) return;
    // Damaged besides: whether others with a wrong number are taken or refused depends on what comes with them.
    const damaged = { kind: 'foreign', deviceId: message.deviceId, reason: 'damaged-event' } as const;
    const wrongNumber = log.length + 1_000_000 + Math.floor(odd.next() * 1e8);
    log.push({ message: damaged, at, wrongNumber });
    this.wrong++;
  }

  /** Of the event whose number the hub states so, its place in the partition. */
  placeOf(partition: number, sequenceNumber: number): number {
    const log = this.logs[partition]!;
    if (sequenceNumber < log.length) return sequenceNumber;
    const place = log.findIndex(({ wrongNumber }) => wrongNumber === sequenceNumber);
    return place === -1 ? sequenceNumber : place;
  }

  /** Now and then one that cannot be. Of a void none of the past: nothing is lost before it was, so nothing would be void. */
  #timeOf({ kind }: MadeMessage, odd: { next(): number }): Pick<LoggedMessage, 'wrongTime'> {
    if (odd.next() > 0.04) return {};
    this.wrong++;
    return { wrongTime: Date.UTC(odd.next() < 0.5 || kind === 'void' ? 2100 : 2011, 0) };
  }

  partitionOf(deviceId: string): number {
    return devices.indexOf(deviceId) % this.partitions;
  }

  ref(partition: number): PartitionRef {
    return { hub: this.name, consumerGroup, partitionId: String(partition) };
  }

  /** Nothing may be running. */
  suffer(event: HubEvent, random: Random): void {
    if (event === 'shortened') {
      this.oldest = this.oldest.map((oldest, partition) => {
        const length = this.logs[partition]!.length;
        return oldest + randomInt(random, length - oldest + 1);
      });
      return;
    }
    this.incarnation++;
    this.isKnown = false;
    this.createdAt++;
    if (event === 'moved') this.name = `hub-${this.incarnation}`;
    const partitions = event === 'moved' ? 1 + randomInt(random, 3) : this.partitions;
    this.logs = Array.from({ length: partitions }, () => []);
    this.oldest = this.logs.map(() => 0);
  }

  /** What its own word is, for a session that begins. */
  sight(): Omit<HubSight, 'checkpoints'> {
    const facts = this.logs.map((log, partition) => ({
      isEmpty: this.oldest[partition] === log.length,
      newest: log.length - 1,
      newestAt: log[log.length - 1]?.at ?? 0,
    }));
    return {
      hub: this.name,
      consumerGroup,
      facts: { createdAt: this.createdAt, partitionIds: facts.map((_, id) => String(id)) },
      partitions: new Map(facts.map((fact, id) => [String(id), fact])),
    };
  }
}
