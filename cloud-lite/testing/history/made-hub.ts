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
  /** By partition: all that it was ever sent. */
  logs: LoggedMessage[][] = [[], []];
  /** By partition: the sequence number of the oldest message that it still has. */
  oldest: number[] = [0, 0];

  get partitions(): number {
    return this.logs.length;
  }

  /** A device's messages always go to the same partition. */
  take(message: MadeMessage, at: number): void {
    this.logs[this.partitionOf(message.deviceId)]!.push({ message, at });
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
