// Events through ingest into a ledger, on any database, with the looks of repair and health at it, under a virtual clock.
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { type AlertView, listAlerts } from '../health/alerts.ts';
import { judgeSilence } from '../health/silence.ts';
import { acceptRange } from '../ingest/accept.ts';
import { markRead } from '../ingest/checkpoint.ts';
import { createIngestor, type Ingested } from '../ingest/ingestor.ts';
import { judgeFleet } from '../ledger/fleet-judgement.ts';
import { listStreams, type StreamView } from '../ledger/streams.ts';
import type { RepairLimits } from '../repair/decide.ts';
import type { ActionResult } from '../repair/person.ts';
import { claim, sweep } from '../repair/sweep.ts';
import { emptyDatabase } from './databases.ts';

export const second = 1000;
export const hour = 3600 * second;
export const day = 24 * hour;
/** When the rig's clock begins. */
export const noon = Date.UTC(2026, 10, 21, 12);

export type Sent = Readonly<Record<string, string>>;

const partition = { hub: 'hub', consumerGroup: 'group', partitionId: '0' };
const silenceMs = 5 * 60 * second;
const limits: RepairLimits = {
  detectionDelayMs: 30 * second,
  expiryMs: 3 * hour,
  maxAttempts: 3,
  retryMs: 30_000,
  maxRange: { time: hour, sequence: 1000 },
  maxActivePerDevice: 100,
  maxActive: 1000,
};

/** Properties of a window by time; `start` and `end` in ms from noon. */
export const at = (start: number, end = start + 10 * second) => ({
  startWindow: new Date(noon + start).toISOString(),
  endWindow: new Date(noon + end).toISOString(),
});

/** Properties of a window by record number. */
export const records = (start: number, end = start + 10) => ({
  index: 'sequence',
  startWindow: String(start),
  endWindow: String(end),
});

export class IngestRig {
  readonly #database: () => Database;
  clock = new VirtualClock(noon);
  /** Of the next event. */
  sequenceNumber = 0;

  constructor(database: () => Database) {
    this.#database = database;
  }

  get database(): Database {
    return this.#database();
  }

  /** An empty ledger, at noon. */
  async begin(): Promise<void> {
    await emptyDatabase(this.database);
    this.clock = new VirtualClock(noon);
    this.sequenceNumber = 0;
  }

  event(properties: Sent, more: Readonly<Record<string, unknown>> = {}) {
    return {
      sequenceNumber: this.sequenceNumber++,
      offset: '',
      enqueuedAt: this.clock.now(),
      properties: { batchId: 's', count: '1', ...properties },
      annotations: { 'iothub-connection-device-id': 'd', 'iothub-connection-module-id': 'm' },
      ...more,
    };
  }

  newIngestor() {
    return createIngestor({
      database: this.database,
      clock: this.clock,
      log: silentLog,
      metrics: noMetrics,
    });
  }

  /** As one batch, to an ingestor that remembers nothing. */
  ingest(...events: readonly ReturnType<IngestRig['event']>[]): Promise<Ingested> {
    return this.newIngestor().ingest(partition, events);
  }

  send(...list: readonly Sent[]): Promise<Ingested> {
    return this.ingest(...list.map((properties) => this.event(properties)));
  }

  streams(): Promise<readonly StreamView[]> {
    return listStreams(this.database, { limit: 100 });
  }

  async stream(): Promise<StreamView> {
    return (await this.streams())[0]!;
  }

  /** The hub holds nothing more. */
  async readToEnd(): Promise<void> {
    await markRead(this.database, partition, this.clock.now());
  }

  async sweep(): Promise<void> {
    await sweep(this.database, seededRandom(1), this.clock.now(), limits);
  }

  /** What repair asks for now, after three looks. */
  async asked(): Promise<readonly (readonly [start: number, end: number])[]> {
    for (let look = 0; look < 3; look++) {
      await this.clock.advance(31 * second);
      await this.readToEnd();
      await this.sweep();
    }
    return this.due();
  }

  /** Requests that are to be sent now. */
  async due(): Promise<readonly (readonly [start: number, end: number])[]> {
    const due = await claim(this.database, this.clock.now(), 1000, limits);
    return due.map(({ range }) => [range.start, range.end]);
  }

  judge(): Promise<void> {
    return judgeSilence(this.database, this.clock.now(), silenceMs);
  }

  /** Of the worst stream. */
  async state(): Promise<string | undefined> {
    const now = this.clock.now();
    const period = { start: now - hour, end: now };
    const selection = { order: 'worst', offset: 0, limit: 10, period, now, silenceMs } as const;
    return (await judgeFleet(this.database, selection)).page[0]?.state;
  }

  /** The newest first. */
  alerts(): Promise<readonly AlertView[]> {
    return listAlerts(this.database, { limit: 100 });
  }

  accept(streamId: number, start: number, end: number, reason = 'a test'): Promise<ActionResult> {
    return acceptRange(this.database, streamId, { start, end }, reason, this.clock.now());
  }
}
