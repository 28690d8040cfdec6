// A random history of one small fleet: what modules send, what the way there does to it, what two
// detectors read of it between crashes, and how modules answer what they are asked. From a seed, so that a
// failing one repeats exactly.

import { HoldfastError } from '../../kernel/errors.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Window } from '../../wire/window.ts';
import type { Database, Session } from '../database/database.ts';
import { markRead } from '../ingest/checkpoint.ts';
import type { PartitionRef, ReceivedEvent } from '../ingest/event-source.ts';
import { createIngestor, type Ingestor } from '../ingest/ingestor.ts';
import { judgeBackfillAnswer, judgeFollowUp, type RepairLimits } from '../repair/decide.ts';
import type { MethodOutcome } from '../repair/hub-methods.ts';
import { recordFollowUp, recordSent } from '../repair/outcome.ts';
import type { DueRequest } from '../repair/queue.ts';
import { claim, sweep } from '../repair/sweep.ts';
import type { MadeMessage } from './oracle.ts';

export const moduleId = 'holdfast';
const partitionCount = 2;
const devices = ['d0', 'd1', 'd2'];
const streams = ['a', 'b'];
export const historyLimits: RepairLimits = {
  detectionDelayMs: 1000,
  expiryMs: 20_000,
  maxAttempts: 50,
  maxRange: { time: 40, sequence: 40 },
  maxActivePerDevice: 3,
  maxActive: 6,
};

export interface History {
  /** Every event that the hub held, by partition, in order. */
  readonly partitions: readonly (readonly MadeMessage[])[];
  /** Ranges asked for while another open request already asked for part of them: must stay empty. */
  readonly askedTwice: readonly string[];
  readonly crashes: number;
}

/** Lives through one history and lets all repair come to its end. */
export async function liveThrough(database: Database, seed: number): Promise<History> {
  const fleet = new Fleet(database, seed);
  await fleet.live();
  return fleet;
}

class Fleet implements History {
  readonly #random: Random;
  readonly #database: Database;
  readonly #clock = new VirtualClock();
  readonly partitions: MadeMessage[][] = Array.from({ length: partitionCount }, () => []);
  readonly askedTwice: string[] = [];
  crashes = 0;
  /** The next window of each stream. */
  readonly #heads = new Map<string, number>();
  #detectors: Detector[];
  /** How unreliable everything is; it calms down in the end. */
  #trouble = 1;

  constructor(database: Database, seed: number) {
    this.#random = seededRandom(seed);
    this.#database = database;
    this.#detectors = [this.#newDetector(), this.#newDetector()];
  }

  async live(): Promise<void> {
    const steps = 10 + randomInt(this.#random, 30);
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await this.#clock.advance(randomInt(this.#random, 800));
    }
    await this.#comeToRest();
  }

  async #step(): Promise<void> {
    const what = this.#pick(['produce', 'produce', 'ingest', 'ingest', 'repair'] as const);
    if (what === 'produce') this.#produce();
    else if (what === 'ingest') await this.#ingest(this.#pick(this.#detectors));
    else await this.#repair();
  }

  /** All is well at last: everything is read, and what can be repaired is. */
  async #comeToRest(): Promise<void> {
    this.#trouble = 0;
    // A stream's end is not a gap, so each gets a last window.
    for (const deviceId of devices) for (const batchId of streams) this.#closeStream(deviceId, batchId);
    for (let round = 0; round < 200; round++) {
      for (const detector of this.#detectors) while (await this.#ingest(detector));
      await this.#repair();
      await this.#clock.advance(2000);
      if (round > 2 && (await this.#isAtRest())) return;
    }
    throw new Error('repair did not come to rest');
  }

  async #isAtRest(): Promise<boolean> {
    const [row] = await this.#database.query<{ n: number }>(
      `select (select count(*) from stream where missing <> '{}')
            + (select count(*) from request where state in ('pending', 'accepted'))
            + (select count(*) from gap where state <> 'closed') as n`,
    );
    return row!.n === 0 && this.#detectors.every((detector) => detector.hasReadAll(this.partitions));
  }

  #produce(): void {
    const deviceId = this.#pick(devices);
    const batchId = this.#pick(streams);
    const made: MadeMessage[] = [];
    const count = 1 + randomInt(this.#random, 6);
    for (let i = 0; i < count; i++) made.push(...this.#makeWindow(deviceId, batchId));
    this.#deliver(this.#disturb(made));
  }

  #makeWindow(deviceId: string, batchId: string): MadeMessage[] {
    const key = `${deviceId}/${batchId}`;
    let start = this.#heads.get(key) ?? randomInt(this.#random, 50);
    // A break in observation.
    if (this.#chance(0.15)) start += 1 + randomInt(this.#random, 90);
    const window = { start, end: start + 1 + randomInt(this.#random, 12) };
    this.#heads.set(key, window.end);
    const plain = { deviceId, batchId, window, isBackfill: false };
    if (this.#chance(0.05)) return [{ ...plain, void: 'evicted' }];
    return this.#inParts(plain);
  }

  #inParts(message: MadeMessage): MadeMessage[] {
    if (!this.#chance(0.25)) return [message];
    const n = 2 + randomInt(this.#random, 2);
    return Array.from({ length: n }, (_, i) => ({ ...message, part: { k: i + 1, n } }));
  }

  #closeStream(deviceId: string, batchId: string): void {
    const head = this.#heads.get(`${deviceId}/${batchId}`);
    if (head === undefined) return;
    this.#deliver([{ deviceId, batchId, window: { start: head, end: head + 1 }, isBackfill: false }]);
  }

  /** Loses, repeats and reorders. */
  #disturb(messages: readonly MadeMessage[]): MadeMessage[] {
    const out = messages.flatMap((message) => {
      if (this.#chance(0.15)) return [];
      return this.#chance(0.15) ? [message, message] : [message];
    });
    for (let i = out.length - 1; i > 0; i--) {
      if (!this.#chance(0.3)) continue;
      const j = randomInt(this.#random, i + 1);
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  }

  /** A device's messages always go to the same partition. */
  #deliver(messages: readonly MadeMessage[]): void {
    for (const message of messages) {
      const partition = devices.indexOf(message.deviceId) % partitionCount;
      this.partitions[partition]!.push({ ...message, at: this.#clock.now() });
    }
  }

  #newDetector(): Detector {
    return new Detector(this.#database, this.#clock, this.#random, () => this.#chance(0.1));
  }

  /** One batch of one partition; false when there is nothing left to read. */
  async #ingest(detector: Detector): Promise<boolean> {
    const partition = randomInt(this.#random, partitionCount);
    try {
      let more = await detector.read(partition, this.partitions[partition]!, this.#chance(0.2));
      if (!more && this.#trouble === 0) {
        const other = (partition + 1) % partitionCount;
        more = await detector.read(other, this.partitions[other]!, false);
      }
      return more;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.crashes++;
      this.#detectors = this.#detectors.map((d) => (d === detector ? this.#newDetector() : d));
      return true;
    }
  }

  async #repair(): Promise<void> {
    const now = this.#clock.now();
    // Two instances at once: on PostgreSQL they really overlap.
    await Promise.all([1, 2].map(() => sweep(this.#database, this.#random, now, historyLimits)));
    await this.#checkOverlaps();
    const claims = await Promise.all([1, 2].map(() => claim(this.#database, now, 5, historyLimits)));
    for (const request of claims.flat()) await this.#call(request);
  }

  async #checkOverlaps(): Promise<void> {
    const rows = await this.#database.query<{ text: string }>(
      `select a.range || ' and ' || b.range as text from request a join request b
          on a.stream_id = b.stream_id and a.id < b.id and a.range && b.range
        where a.state in ('pending', 'accepted') and b.state in ('pending', 'accepted')`,
    );
    this.askedTwice.push(...rows.map((row) => row.text));
  }

  async #call(request: DueRequest): Promise<void> {
    const outcome = this.#answer(request);
    // The detector dies before it has written what came of the call.
    if (this.#chance(0.1)) return;
    const times = { now: this.#clock.now(), retryMs: () => 500, followUpMs: 1000 };
    if (request.state === 'pending') {
      await recordSent(this.#database, request, judgeBackfillAnswer(outcome), times, historyLimits);
    } else {
      await recordFollowUp(this.#database, request, judgeFollowUp(outcome), times, historyLimits);
    }
  }

  /** What the module does: an honest one, behind a bad line. */
  #answer(request: DueRequest): MethodOutcome {
    if (this.#chance(0.2)) return { kind: 'unreachable', detail: 'offline' };
    if (this.#chance(0.05)) return { kind: 'answered', status: this.#pick([429, 500, 503]), payload: null };
    if (request.state === 'accepted') return { kind: 'answered', status: 200, payload: { state: 'done' } };
    this.#deliver(this.#disturb(this.#pieces(request)));
    return { kind: 'answered', status: 202, payload: {} };
  }

  #pieces(request: DueRequest): MadeMessage[] {
    const { deviceId, batchId, range, id } = request;
    const made: MadeMessage[] = [];
    for (let start = range.start; start < range.end; ) {
      // Often the same window again as in an earlier answer, in other parts.
      const length = this.#chance(0.3) ? 40 : 1 + randomInt(this.#random, 15);
      const window: Window = { start, end: Math.min(range.end, start + length) };
      const plain = { deviceId, batchId, window, isBackfill: true, requestId: id };
      if (this.#chance(0.1)) made.push({ ...plain, void: 'no-history' });
      else made.push(...this.#inParts(plain));
      start = window.end;
    }
    return made;
  }

  #pick<T>(list: readonly T[]): T {
    return list[randomInt(this.#random, list.length)]!;
  }

  /** Never, once all is well. */
  #chance(probability: number): boolean {
    return this.#random.next() < probability && this.#trouble > 0;
  }
}

/** Retryable: the ingestor hands it on, as it does a database that is away. */
class Crash extends HoldfastError {
  constructor() {
    super('test-crash', 'the detector was killed', { retryable: true });
  }
}

/** One instance: its ingestor, and where it believes to be in each partition. */
class Detector {
  readonly #ingestor: Ingestor;
  readonly #database: Database;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #positions = new Map<number, number>();

  constructor(database: Database, clock: VirtualClock, random: Random, crashes: () => boolean) {
    this.#random = random;
    this.#database = database;
    this.#clock = clock;
    this.#ingestor = createIngestor({
      database: crashing(database, random, crashes),
      clock,
      log: silentLog,
      metrics: noMetrics,
      plausible: { earliest: 0, maxAheadMs: 0 },
    });
  }

  /**
   * Reads the next batch. Starts anywhere at or before its checkpoint, as the client does after a retry
   * or when another instance has gone ahead; then goes on without a hole.
   */
  async read(partition: number, log: readonly MadeMessage[], again: boolean): Promise<boolean> {
    const position = this.#positions.get(partition) ?? 0;
    const from = again ? randomInt(this.#random, position + 1) : position;
    const to = Math.min(log.length, from + 1 + randomInt(this.#random, 40));
    if (from === to) {
      await markRead(this.#database, partitionRef(partition), this.#clock.now());
      return false;
    }
    const events = log.slice(from, to).map((message, i) => eventOf(message, from + i));
    await this.#ingestor.ingest(partitionRef(partition), events);
    this.#positions.set(partition, Math.max(position, to));
    return true;
  }

  hasReadAll(partitions: readonly (readonly MadeMessage[])[]): boolean {
    return partitions.every((log, partition) => (this.#positions.get(partition) ?? 0) === log.length);
  }
}

function partitionRef(partition: number): PartitionRef {
  return { hub: 'hub', consumerGroup: 'group', partitionId: String(partition) };
}

function eventOf(message: MadeMessage, sequenceNumber: number): ReceivedEvent {
  const { window, part, requestId } = message;
  return {
    sequenceNumber,
    offset: String(sequenceNumber * 100),
    enqueuedAt: message.at ?? 0,
    annotations: {
      'iothub-connection-device-id': message.deviceId,
      'iothub-connection-module-id': moduleId,
      'iothub-message-source': 'Telemetry',
    },
    properties: {
      batchId: message.batchId,
      index: 'sequence',
      startWindow: String(window.start),
      endWindow: String(window.end),
      ...(message.isBackfill ? { isBackfill: 'true' } : {}),
      ...(requestId === undefined ? {} : { requestId }),
      ...(message.void === undefined ? { count: '1' } : { void: message.void }),
      ...(part === undefined ? {} : { part: `${part.k}/${part.n}` }),
    },
  };
}

/** A database whose user may die between any two statements, or right after the commit. */
function crashing(database: Database, random: Random, crashes: () => boolean): Database {
  return {
    ...database,
    async transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
      if (!crashes()) return database.transaction(work);
      let left = randomInt(random, 8);
      const result = await database.transaction((session) =>
        work({
          ...session,
          query: async (sql, params) => {
            if (left-- <= 0) throw new Crash();
            return session.query(sql, params);
          },
        }),
      );
      // Died after the commit: the work is done, and nobody knows.
      if (left >= 0) throw new Crash();
      return result;
    },
  };
}
