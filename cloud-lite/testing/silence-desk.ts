// What tests of silence share: messages that arrive, the judgement, and the alerts that were raised.
import type { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { listAlerts } from '../health/alerts.ts';
import { judgeSilence } from '../health/silence.ts';
import { markRead } from '../ingest/checkpoint.ts';
import { arrive, type ShortArrival } from './arrivals.ts';

export const silenceMs = 300_000;
export const partition = { hub: 'h', consumerGroup: 'g', partitionId: '0' };

/** `database` and `clock`: those of the test that runs. */
export function silenceDesk(database: () => Database, clock: () => VirtualClock) {
  return {
    async judge(readUntil = clock().now()): Promise<void> {
      await markRead(database(), partition, readUntil);
      await database().transaction((session) => judgeSilence(session, clock().now(), silenceMs));
    },
    /** Alerts, oldest first, each with the stream that it names. */
    async kinds(): Promise<readonly string[]> {
      return [...(await listAlerts(database(), { limit: 100 }))]
        .reverse()
        .map(({ kind, batchId }) => (batchId ? `${kind} ${batchId}` : kind));
    },
    /** A stream by time claims what is `start` ms from now. */
    send(device: string, stream: string, start: number, more: Partial<ShortArrival> = {}): Promise<void> {
      const from = more.index === 'sequence' ? start : clock().now() + start;
      const arrival = { device, stream, start: from, end: from + 1, index: 'time' as const, ...more };
      return arrive(database(), [arrival], clock().now(), '0');
    },
  };
}
