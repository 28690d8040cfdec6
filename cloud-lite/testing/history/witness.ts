// Holds the ledger against the oracle, as far as the detectors have read, at any moment of a history.
import { expect } from 'vitest';
import type { Database } from '../../database/database.ts';
import type { LoggedMessage } from './made-message.ts';
import { createOracle, type LedgerImage, type Oracle, type StreamImage } from './oracle.ts';

export interface Witness {
  /** @throws when the ledger is not what the messages that were read make it. Nothing may be running. */
  compare(): Promise<void>;
  /** @throws when two open requests share a position. */
  nothingIsAskedTwice(): Promise<void>;
  /** Everything is read, nothing is missing, and nothing is being asked for. */
  isAtRest(): Promise<boolean>;
  oracle(): Oracle;
  /** The ledger is empty and begins anew. */
  forget(): void;
}

export function createWitness(
  database: Database,
  partitions: readonly (readonly LoggedMessage[])[],
): Witness {
  let oracle = createOracle();
  let taken = partitions.map(() => 0);
  const checkpoints = async () => {
    const rows = await database.query<{ partition_id: string; sequence_number: number }>(
      'select partition_id, sequence_number from checkpoint',
    );
    return partitions.map((_, partition) => {
      const row = rows.find(({ partition_id }) => partition_id === String(partition));
      return (row?.sequence_number ?? -1) + 1;
    });
  };
  return {
    async compare() {
      for (const [partition, position] of (await checkpoints()).entries()) {
        const log = partitions[partition]!;
        while (taken[partition]! < position) oracle.take(partition, log[taken[partition]!++]!);
      }
      expect(await readImage(database)).toEqual(oracle.image());
    },
    async nothingIsAskedTwice() {
      const twice = await database.query(
        `select a.stream_id, a.range as one, b.range as other from request a join request b
            on a.stream_id = b.stream_id and a.id < b.id and a.range && b.range
          where a.state in ('pending', 'accepted') and b.state in ('pending', 'accepted')`,
      );
      expect(twice, 'ranges that are asked for twice').toEqual([]);
    },
    async isAtRest() {
      const [row] = await database.query<{ n: number }>(
        `select (select count(*) from stream_segment where missing <> '{}')
              + (select count(*) from request where state in ('pending', 'accepted'))
              + (select count(*) from gap where state <> 'closed') as n`,
      );
      const read = await checkpoints();
      return row!.n === 0 && partitions.every((log, partition) => log.length === read[partition]);
    },
    oracle: () => oracle,
    forget() {
      oracle = createOracle();
      taken = partitions.map(() => 0);
    },
  };
}

async function readImage(database: Database): Promise<LedgerImage> {
  const rows = await database.query<StreamImage & { name: string }>(
    `select device_id || '/' || batch_id || case when late_of is null then '' else '#' end as name, g.*, messages, duplicates, readings,
            (select count(*) from pending_part p where p.stream_id = s.id) as "pendingParts",
            coalesce((select jsonb_object_agg(reason, ranges::text)
                        from (select reason, range_agg(ranges) as ranges from void_range v
                               where v.stream_id = s.id group by reason) v), '{}') as voids
       from stream s
      cross join lateral (
        select range_agg(covered)::text as covered, range_agg(backfilled)::text as backfilled,
               range_agg(waived)::text as waived, range_agg(missing)::text as missing
          from stream_segment where stream_id = s.id) g
      where messages > 0 or not isempty(span)`,
  );
  const counts = await database.query<{ name: string; messages: number }>(
    `select partition_id || '/' || reason as name, messages from set_aside_count`,
  );
  return {
    streams: Object.fromEntries(rows.map(({ name, ...stream }) => [name, stream])),
    setAside: Object.fromEntries(counts.map(({ name, messages }) => [name, messages])),
  };
}
