// A ledger of many streams, written straight into its tables: a week's worth of messages would take an hour.
import type { Database } from '../../../cloud-lite/database/database.ts';

export interface FleetShape {
  readonly streams: number;
  /** Streams with one hole of a minute each, spread over the fleet. */
  readonly withGap: number;
  readonly streamsPerDevice: number;
  /** The end of what arrived, UTC epoch ms. */
  readonly now: number;
}

export const partitions = 4;

/** Every stream has sent for a day, up to now; the hub has been read to its end. */
export async function fillFleet(database: Database, fleet: FleetShape): Promise<void> {
  const { streams, withGap, streamsPerDevice, now } = fleet;
  await database.query(
    `insert into stream (device_id, module_id, batch_id, index_kind, span, covered, newest, messages, readings, created_at,
                         last_arrival_at, heard_at, partition_id)
     select 'gateway-' || lpad((i / $2::int8)::text, 6, '0'), 'holdfast', 'line-' || i % $2::int8, 'time',
            int8range(n - 86400000, n),
            case when i % $3::int8 = 0 then int8multirange(int8range(n - 86400000, n - 120000 - i % 997 * 60000),
                                                           int8range(n - 60000 - i % 997 * 60000, n))
                 else int8multirange(int8range(n - 86400000, n)) end,
            n, 8640, 4320000, n - 86400000, n - i % 9000, n - i % 9000, (i / $2 % $5::int8)::text
       from generate_series(0, $1::int8 - 1) i, (select $4::int8 as n) as now`,
    [streams, streamsPerDevice, streams / withGap, now, partitions],
  );
  await database.query(
    `insert into checkpoint (hub, consumer_group, partition_id, sequence_number, event_offset, enqueued_at, events,
                             updated_at, idle_at)
     select 'bench', '$Default', p::text, 1000000, '1000000', $1::int8, 1000000, $1::int8, $1::int8
       from generate_series(0, $2::int4 - 1) p`,
    [now + 3_600_000, partitions],
  );
  // A server does this by itself, in its own time; the embedded database never does.
  if (database.engine === 'postgres') await database.script('analyze');
}
