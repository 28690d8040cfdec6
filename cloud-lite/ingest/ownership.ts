// Which instance reads which partition: the table in which the SDK's load balancer keeps its claims. It only spreads the
// work; that nothing is counted twice rests on the checkpoint's lock alone.
//
// The age of a claim is by the database's clock alone: instances whose clocks differ by more than a claim lasts would take
// each other's partitions without end.
import type { Random } from '../../kernel/random.ts';
import type { Database } from '../database/database.ts';

export interface Ownership {
  readonly hub: string;
  readonly consumerGroup: string;
  readonly partitionId: string;
  /** Empty when no instance owns it. */
  readonly ownerId: string;
  readonly etag?: string;
  /** Since it was last claimed, ms. */
  readonly ageMs?: number;
}

export interface OwnershipTable {
  list(hub: string, consumerGroup: string): Promise<readonly Ownership[]>;
  /** Claims the partitions that no other instance claimed since they were listed; returns those. */
  claim(wanted: readonly Ownership[]): Promise<readonly Ownership[]>;
  /** Frees everything that this instance, or an earlier one of its name, holds. */
  release(): Promise<void>;
}

interface OwnershipRow {
  readonly partition_id: string;
  readonly owner_id: string;
  readonly etag: string;
  readonly age_ms: number;
}

// A stamp of the future is as far from now as one of the past: the clock was put back, and its owner, if it lives, claims
// again within seconds.
const databaseNow = 'floor(extract(epoch from clock_timestamp()) * 1000)::int8';

export function createOwnershipTable(database: Database, random: Random, instance: string): OwnershipTable {
  const claimOne = async (wanted: Ownership): Promise<readonly Ownership[]> => {
    const etag = random.uuid();
    const rows = await database.query(
      `insert into ownership as o (hub, consumer_group, partition_id, owner_id, instance, etag, modified_at)
       values ($1, $2, $3, $4, $5, $6, ${databaseNow})
       on conflict (hub, consumer_group, partition_id) do update
         set owner_id = excluded.owner_id, instance = excluded.instance, etag = excluded.etag,
             modified_at = excluded.modified_at
         where o.etag = $7
       returning etag`,
      [
        wanted.hub,
        wanted.consumerGroup,
        wanted.partitionId,
        wanted.ownerId,
        instance,
        etag,
        wanted.etag ?? '',
      ],
    );
    return rows.length === 0 ? [] : [{ ...wanted, etag, ageMs: 0 }];
  };

  return {
    async list(hub, consumerGroup) {
      const rows = await database.query<OwnershipRow>(
        `select partition_id, owner_id, etag, abs(${databaseNow} - modified_at) as age_ms
           from ownership where hub = $1 and consumer_group = $2`,
        [hub, consumerGroup],
      );
      return rows.map((row) => ({
        hub,
        consumerGroup,
        partitionId: row.partition_id,
        ownerId: row.owner_id,
        etag: row.etag,
        ageMs: row.age_ms,
      }));
    },
    async claim(wanted) {
      const claimed: Ownership[] = [];
      for (const one of wanted) claimed.push(...(await claimOne(one)));
      return claimed;
    },
    async release() {
      await database.query(
        `update ownership set owner_id = '', etag = $2 where instance = $1 and owner_id <> ''`,
        [instance, random.uuid()],
      );
    },
  };
}
