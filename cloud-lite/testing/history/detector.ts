// One instance of the detector, made of the real ingest and the real repair, on a database that it may die on.
import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { type Random, randomInt } from '../../../kernel/random.ts';
import type { Database } from '../../database/database.ts';
import { listCheckpoints, markRead } from '../../ingest/checkpoint.ts';
import type { PartitionRef } from '../../ingest/event-source.ts';
import { settleHub } from '../../ingest/hub-identity.ts';
import { createIngestor, type Ingestor, isPositionLost } from '../../ingest/ingestor.ts';
import { judgeBackfillAnswer, judgeFollowUp, type RepairLimits } from '../../repair/decide.ts';
import type { MethodOutcome } from '../../repair/hub-methods.ts';
import { recordFollowUp, recordSent } from '../../repair/outcome.ts';
import type { DueRequest } from '../../repair/queue.ts';
import { claim, sweep } from '../../repair/sweep.ts';
import { consumerGroup, type MadeHub } from './made-hub.ts';
import { earliest, eventOf, type LoggedMessage } from './made-message.ts';
import { type MortalDatabase, mortal } from './mortal-database.ts';
import type { PlantedFaults } from './planted-faults.ts';

export const historyLimits: RepairLimits = {
  detectionDelayMs: 1000,
  expiryMs: 20_000,
  maxAttempts: 3,
  retryMs: 500,
  maxRange: { time: 40, sequence: 40 },
  maxActivePerDevice: 3,
  maxActive: 6,
};

const maxBatch = 40;

export interface DetectorParts {
  readonly database: Database;
  /** The database's time, as this instance has it. */
  readonly clock: Clock;
  readonly random: Random;
  readonly hub: MadeHub;
  readonly planted: PlantedFaults;
}

export class Detector {
  readonly database: MortalDatabase;
  readonly random: Random;
  readonly #hub: MadeHub;
  readonly #planted: PlantedFaults;
  readonly #ingestor: Ingestor;
  readonly #clock: Clock;
  /** The hub that its session is with; 0 before there is one. */
  #session = 0;
  /** Where it goes on reading, by partition; absent where it has not read yet. */
  readonly #positions = new Map<number, number>();

  constructor({ database, clock, random, hub, planted }: DetectorParts) {
    this.database = mortal(planted.database(database));
    this.random = random;
    this.#clock = clock;
    this.#hub = hub;
    this.#planted = planted;
    this.#ingestor = createIngestor({
      database: this.database,
      clock,
      log: silentLog,
      metrics: noMetrics,
      plausible: { earliest, maxAheadMs: 1e12, ...planted.bounds },
      // So that a few windows make an archive.
      segmentLimits: { most: 6, kept: 2 },
    });
  }

  /**
   * Reads the next batch; false when there was none. With `again` it first goes back, as the client does after a
   * retry; from there on it reads without a hole of its own making.
   */
  async read(partition: number, again: boolean): Promise<boolean> {
    await this.#begin();
    const hub = this.#hub;
    const ref = hub.ref(partition);
    const [log, oldest] = [hub.logs[partition]!, hub.oldest[partition]!];
    const position = this.#positions.get(partition) ?? (await this.#checkpoint(ref));
    const from = Math.max(oldest, again ? randomInt(this.random, position + 1) : position);
    // Behind what it goes back for, more comes: an event with a wrong number is known by the next one.
    const least = from < position ? 2 : 1;
    const to = Math.min(
      log.length,
      (again ? undefined : this.#alone(log, from)) ?? from + least + randomInt(this.random, maxBatch),
    );
    if (from >= to) {
      await markRead(this.database, ref, this.#clock.now());
      return false;
    }
    const events = log.slice(from, to).map((logged, i) => this.#planted.event(eventOf(logged, from + i)));
    try {
      await this.#ingestor.ingest(ref, events, Math.min(position, from) - 1);
      this.#positions.set(partition, Math.max(position, to));
    } catch (error) {
      // The session with the hub begins anew, at the checkpoint.
      if (isPositionLost(error)) this.#session = 0;
      // The same events are given again.
      else if (!(error instanceof HoldfastError && error.code === 'ledger-stream-gone')) throw error;
    }
    return true;
  }

  /** An event with a wrong number often comes alone: then nothing that comes with it says what its number is. */
  #alone(log: readonly LoggedMessage[], from: number): number | undefined {
    const wrong = log.slice(from, from + maxBatch).findIndex(({ wrongNumber }) => wrongNumber !== undefined);
    if (wrong === -1 || randomInt(this.random, 3) === 0) return undefined;
    return from + Math.max(1, wrong);
  }

  /** A session with the hub that there is now. */
  async #begin(): Promise<void> {
    if (this.#session === this.#hub.incarnation) return;
    const checkpoints = await listCheckpoints(this.database, this.#hub.name, consumerGroup);
    const { incarnation } = this.#hub;
    if (!this.#planted.hubUnseen)
      await settleHub(this.database, { ...this.#hub.sight(), checkpoints }, this.#clock.now());
    this.#positions.clear();
    this.#session = incarnation;
    this.#hub.isKnown = true;
  }

  async #checkpoint({ hub, partitionId }: PartitionRef): Promise<number> {
    const rows = await listCheckpoints(this.database, hub, consumerGroup);
    const number = rows.find((row) => row.partitionId === partitionId)?.sequenceNumber ?? -1;
    return this.#hub.placeOf(Number(partitionId), number) + 1;
  }

  /** Looks for gaps, and claims calls to make. */
  async claim(): Promise<readonly DueRequest[]> {
    const now = this.#clock.now();
    await sweep(this.database, this.random, now, historyLimits);
    return claim(this.database, now, 5, historyLimits);
  }

  async record(request: DueRequest, answered: MethodOutcome): Promise<void> {
    const outcome = this.#planted.outcome(answered);
    const times = { now: this.#clock.now(), retryMs: () => 500, followUpMs: 1000 };
    if (request.state === 'pending') {
      await recordSent(this.database, request, judgeBackfillAnswer(outcome), times, historyLimits);
    } else {
      await recordFollowUp(this.database, request, judgeFollowUp(outcome), times, historyLimits);
    }
  }
}
