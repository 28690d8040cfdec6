// One instance of the detector, made of the real ingest and the real repair, on a database that it may die on.
import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { type Random, randomInt } from '../../../kernel/random.ts';
import type { Database } from '../../database/database.ts';
import { markRead } from '../../ingest/checkpoint.ts';
import type { PartitionRef } from '../../ingest/event-source.ts';
import { createIngestor, type Ingestor, isPositionLost } from '../../ingest/ingestor.ts';
import { judgeBackfillAnswer, judgeFollowUp, type RepairLimits } from '../../repair/decide.ts';
import type { MethodOutcome } from '../../repair/hub-methods.ts';
import { recordFollowUp, recordSent } from '../../repair/outcome.ts';
import type { DueRequest } from '../../repair/queue.ts';
import { claim, sweep } from '../../repair/sweep.ts';
import { earliest, eventOf, type LoggedMessage } from './made-message.ts';
import { type MortalDatabase, mortal } from './mortal-database.ts';

export const historyLimits: RepairLimits = {
  detectionDelayMs: 1000,
  expiryMs: 20_000,
  maxAttempts: 3,
  retryMs: 500,
  maxRange: { time: 40, sequence: 40 },
  maxActivePerDevice: 3,
  maxActive: 6,
};

export const partitionRef = (partition: number): PartitionRef => ({
  hub: 'hub',
  consumerGroup: 'group',
  partitionId: String(partition),
});

const maxBatch = 40;

export class Detector {
  readonly database: MortalDatabase;
  readonly random: Random;
  readonly #ingestor: Ingestor;
  readonly #clock: Clock;
  /** Where it goes on reading, by partition; absent where it has not read yet. */
  readonly #positions = new Map<number, number>();

  constructor(database: Database, clock: Clock, random: Random) {
    this.database = mortal(database);
    this.random = random;
    this.#clock = clock;
    this.#ingestor = createIngestor({
      database: this.database,
      clock,
      log: silentLog,
      metrics: noMetrics,
      plausible: { earliest, maxAheadMs: 1e12 },
      // So that a few windows make an archive.
      segmentLimits: { most: 6, kept: 2 },
    });
  }

  /**
   * Reads the next batch; false when there was none. With `again` it first goes back, as the client does after a
   * retry; from there on it reads without a hole.
   */
  async read(partition: number, log: readonly LoggedMessage[], again: boolean): Promise<boolean> {
    const ref = partitionRef(partition);
    const position = this.#positions.get(partition) ?? (await this.#checkpoint(ref));
    const from = again ? randomInt(this.random, position + 1) : position;
    const to = Math.min(log.length, from + 1 + randomInt(this.random, maxBatch));
    if (from >= to) {
      await markRead(this.database, ref, this.#clock.now());
      return false;
    }
    const events = log.slice(from, to).map((logged, i) => eventOf(logged, from + i));
    try {
      await this.#ingestor.ingest(ref, events);
      this.#positions.set(partition, Math.max(position, to));
    } catch (error) {
      // The session with the hub begins anew, at the checkpoint.
      if (isPositionLost(error)) this.#positions.delete(partition);
      // The same events are given again.
      else if (!(error instanceof HoldfastError && error.code === 'ledger-stream-gone')) throw error;
    }
    return true;
  }

  async #checkpoint({ partitionId }: PartitionRef): Promise<number> {
    const [row] = await this.database.query<{ sequence_number: number }>(
      'select sequence_number from checkpoint where partition_id = $1',
      [partitionId],
    );
    return (row?.sequence_number ?? -1) + 1;
  }

  /** Looks for gaps, and claims calls to make. */
  async claim(): Promise<readonly DueRequest[]> {
    const now = this.#clock.now();
    await sweep(this.database, this.random, now, historyLimits);
    return claim(this.database, now, 5, historyLimits);
  }

  async record(request: DueRequest, outcome: MethodOutcome): Promise<void> {
    const times = { now: this.#clock.now(), retryMs: () => 500, followUpMs: 1000 };
    if (request.state === 'pending') {
      await recordSent(this.database, request, judgeBackfillAnswer(outcome), times, historyLimits);
    } else {
      await recordFollowUp(this.database, request, judgeFollowUp(outcome), times, historyLimits);
    }
  }
}
