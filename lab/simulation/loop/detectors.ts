// The detectors: the real ones, on one database, each with an event source of the simulation's. They share the
// partitions, and are killed between any two statements.

import type { Database } from '../../../cloud-lite/database/database.ts';
import { parseMultirange } from '../../../cloud-lite/database/multirange.ts';
import { createDetector, type Detector } from '../../../cloud-lite/detector.ts';
import { listCheckpoints, markRead } from '../../../cloud-lite/ingest/checkpoint.ts';
import type { EventSource, ReceivedEvent, TakeEvents } from '../../../cloud-lite/ingest/event-source.ts';
import { settleHub } from '../../../cloud-lite/ingest/hub-identity.ts';
import { defaultBounds } from '../../../cloud-lite/ingest/plausible.ts';
import type { RepairLimits } from '../../../cloud-lite/repair/decide.ts';
import { type MortalDatabase, mortal } from '../../../cloud-lite/testing/history/mortal-database.ts';
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { type Random, seededRandom } from '../../../kernel/random.ts';
import { type Hub, type HubEvent, type HubPartitions, partitionCount } from './hub.ts';
import type { Ledger } from './ledger.ts';
import type { Seams } from './seams.ts';
import type { Trace } from './trace.ts';
import type { StreamAccount } from './verdicts.ts';
import { ProcessClock, type WallClock, type WorldTime } from './world-time.ts';

export const hubName = 'hub';
export const consumerGroup = 'detector';
export const moduleId = 'holdfast';

export const repairLimits: RepairLimits = {
  detectionDelayMs: 20_000,
  expiryMs: 120_000,
  maxAttempts: 200,
  retryMs: 5000,
  maxRange: { time: 600_000, sequence: 5000 },
  maxActivePerDevice: 4,
  maxActive: 16,
};

/** How long a partition stays with a detector that is not heard of. */
const ownershipMs = 30_000;
const pollMs = 1000;
/** How often it is noted that a partition is read to its end. */
const idleMs = 5000;
const batch = 30;

interface Owner {
  readonly name: string;
  until: number;
}

export interface DetectorsOptions {
  readonly hub: Hub;
  readonly database: Database;
  readonly time: WorldTime;
  readonly trace: Trace;
  readonly seams: Seams;
  readonly seed: number;
}

export class Detectors implements Ledger {
  readonly #options: DetectorsOptions;
  readonly #random: Random;
  readonly #owners: (Owner | undefined)[] = Array.from({ length: partitionCount }, () => undefined);
  readonly #running = new Map<
    string,
    { detector: Detector; clock: ProcessClock; database: MortalDatabase }
  >();
  #lives = 0;

  constructor(options: DetectorsOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  start(name: string, wall: WallClock): void {
    if (this.#running.has(name)) return;
    const { hub, time, trace, seams } = this.#options;
    const clock = new ProcessClock(time, wall);
    const database = mortal(seams.database(counted(this.#options.database, time)));
    const life = `${name}.${++this.#lives}`;
    trace.note(name, 'starts');
    const detector = createDetector({
      database,
      source: seams.events(this.#source(life, database, clock)),
      methods: seams.hub({ call: ({ deviceId }, method, payload) => hub.invoke(deviceId, method, payload) }),
      limits: repairLimits,
      plausible: defaultBounds,
      sweepIntervalMs: 10_000,
      silenceMs: 300_000,
      lastsMs: 3_600_000,
      historyMs: 86_400_000,
      fetch: () => Promise.reject(new Error('no webhook')),
      clock,
      random: seededRandom(Math.floor(this.#random.next() * 2 ** 32)),
      log: silentLog,
      metrics: noMetrics,
    });
    this.#running.set(name, { detector, clock, database });
    detector.start().catch((error) => trace.note(name, `cannot start: ${error}`));
  }

  /** It dies before the n-th statement from now. */
  kill(name: string, afterStatements: number): void {
    const running = this.#running.get(name);
    if (running === undefined) return;
    this.#options.trace.note(name, 'is killed');
    this.#running.delete(name);
    running.database.dieAfter(afterStatements);
    running.clock.end();
  }

  /** Not asked of the database, for its time. */
  readonly isRepairing = false;

  async accounts(): Promise<ReadonlyMap<string, StreamAccount>> {
    const rows = await this.#options.database.query<
      Record<'name' | 'covered' | 'missing' | 'voids', string | null>
    >(
      `select device_id || '/' || batch_id as name, g.covered, g.missing, v.voids from stream s
        cross join lateral (
          select range_agg(covered)::text as covered, range_agg(missing)::text as missing
            from stream_segment where stream_id = s.id) g
        cross join lateral (
          select range_agg(ranges)::text as voids from void_range where stream_id = s.id) v
        where late_of is null`,
    );
    const read = (text: string | null) => (text === null ? [] : parseMultirange(text));
    return new Map(
      rows.map(({ name, covered, missing, voids }) => [
        name!,
        { covered: read(covered), missing: read(missing), voids: read(voids) },
      ]),
    );
  }

  async count(): Promise<{ open: number; gaps: number }> {
    const [row] = await this.#options.database.query<{ open: number; gaps: number }>(
      `select (select count(*) from stream_segment where missing <> '{}')
            + (select count(*) from request where state in ('pending', 'accepted'))
            + (select count(*) from gap where state <> 'closed') as open,
              (select count(*) from gap) as gaps`,
    );
    return row!;
  }

  #source(life: string, database: Database, clock: Clock): EventSource {
    return { run: (take, signal) => this.#read(life, database, clock, take, signal) };
  }

  async #read(
    life: string,
    database: Database,
    clock: Clock,
    take: TakeEvents,
    signal: AbortSignal,
  ): Promise<void> {
    const { time, seams } = this.#options;
    const hub = seams.partitions(this.#options.hub);
    const positions = new Map<number, number>();
    const notedAt = new Map<number, number>();
    let hubOf: number | undefined;
    while (!signal.aborted) {
      if (hub.createdAt !== hubOf) {
        await this.#settle(hub, database, clock);
        positions.clear();
        hubOf = hub.createdAt;
      }
      for (let partition = 0; partition < partitionCount; partition++) {
        const owner = this.#owners[partition];
        if (owner !== undefined && owner.name !== life && owner.until > time.elapsed) {
          positions.delete(partition);
          continue;
        }
        this.#owners[partition] = { name: life, until: time.elapsed + ownershipMs };
        const position = positions.get(partition) ?? (await checkpointOf(database, partition));
        const ref = { hub: hubName, consumerGroup, partitionId: String(partition) };
        const events = hub.events(partition, position, batch);
        if (events.length > 0) await take(ref, events.map(received), position);
        else if (clock.monotonic() - (notedAt.get(partition) ?? -idleMs) >= idleMs) {
          await markRead(database, ref, clock.now());
          notedAt.set(partition, clock.monotonic());
        }
        positions.set(partition, events.at(-1)?.sequenceNumber ?? position);
      }
      await sleep(clock, pollMs, signal).catch(() => {});
    }
  }

  /** As each session begins, and one that notices that the hub is another. */
  async #settle(hub: HubPartitions, database: Database, clock: Clock): Promise<void> {
    const checkpoints = await listCheckpoints(database, hubName, consumerGroup);
    const partitionIds = Array.from({ length: partitionCount }, (_, partition) => String(partition));
    const factsOf = (id: string) => {
      const { sequenceNumber, enqueuedAt } = hub.newest(Number(id));
      return { isEmpty: enqueuedAt === 0, newest: sequenceNumber, newestAt: enqueuedAt };
    };
    const partitions = new Map(partitionIds.map((id) => [id, factsOf(id)]));
    const facts = { createdAt: hub.createdAt, partitionIds };
    await settleHub(database, { hub: hubName, consumerGroup, checkpoints, facts, partitions }, clock.now());
  }
}

async function checkpointOf(database: Database, partition: number): Promise<number> {
  const all = await listCheckpoints(database, hubName, consumerGroup);
  return all.find(({ partitionId }) => partitionId === String(partition))?.sequenceNumber ?? -1;
}

function received({ sequenceNumber, enqueuedAt, deviceId, message }: HubEvent): ReceivedEvent {
  return {
    sequenceNumber,
    offset: String(sequenceNumber),
    enqueuedAt,
    properties: message.properties,
    annotations: {
      'iothub-connection-device-id': deviceId,
      'iothub-connection-module-id': moduleId,
    },
    messageId: message.messageId,
    contentType: 'application/json',
    contentEncoding: message.contentEncoding,
  };
}

/** The world's time stands still while the database works, and is what the database says it is. */
function counted(database: Database, time: WorldTime): Database {
  const during = async <T>(work: () => Promise<T>): Promise<T> => {
    time.busy += 1;
    try {
      return await work();
    } finally {
      time.busy -= 1;
    }
  };
  const timed = (sql: string) => sql.replaceAll('clock_timestamp()', `to_timestamp(${time.wall} / 1000.0)`);
  return {
    ...database,
    query: (sql, params) => during(() => database.query(timed(sql), params)),
    script: (sql) => during(() => database.script(sql)),
    transaction: (work) =>
      during(() =>
        database.transaction((session) =>
          work({
            query: (sql, params) => session.query(timed(sql), params),
            script: (sql) => session.script(sql),
          }),
        ),
      ),
  };
}
