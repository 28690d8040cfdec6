// Compares the ledger with the oracle, as far as the detectors have read, at any moment of a history.
import { expect } from 'vitest';
import type { Clock } from '../../../kernel/clock.ts';
import type { Database } from '../../database/database.ts';
import { listCheckpoints } from '../../ingest/checkpoint.ts';
import { readCoverage } from '../../ledger/coverage.ts';
import { judgeFleet } from '../../ledger/fleet-judgement.ts';
import type { MethodOutcome } from '../../repair/hub-methods.ts';
import { historyLimits } from './detector.ts';
import { consumerGroup, type MadeHub } from './made-hub.ts';
import { createOracle, type LedgerImage, type Oracle, type StreamImage } from './oracle.ts';

export interface Witness {
  /**
   * @throws when the ledger is not what the messages that were read make it, or has a stamp of the future. Nothing may be
   * running.
   */
  compare(): Promise<void>;
  /** A call to a module has come to something. */
  heard(requestId: string, outcome: MethodOutcome): void;
  /** @throws when a request was given up that no module had a say on, or not for long enough. */
  nothingIsGivenUpEarly(): Promise<void>;
  /** @throws when two open requests share a position. */
  nothingIsAskedTwice(): Promise<void>;
  /** Everything is read, nothing is missing, and nothing is being asked for. */
  isAtRest(): Promise<boolean>;
  oracle(): Oracle;
  /** The ledger is empty and begins anew. */
  forget(): void;
  /** Before it happens to the hub, all that was read has to be compared; from then on it has other messages. */
  hubChanged(): void;
}

/** As short as histories are. */
const silenceMs = 1500;
/** Instances have the database's time to a fraction of this. */
const clockErrorMs = 1000;

export function createWitness(database: Database, hub: MadeHub, clock: Clock): Witness {
  let oracle = createOracle();
  let taken = [...hub.oldest];
  let incarnation = hub.incarnation;
  /** By device: when the hub had the newest of its messages that were read. */
  const heard = new Map<string, number>();
  /** By request: when a module took it first, when it answered anything last; and whether it said never. */
  const said = new Map<string, { taken?: number; declined?: number; refused?: boolean }>();
  const checkpoints = async () => {
    if (!hub.isKnown) return hub.oldest;
    const rows = await listCheckpoints(database, hub.name, consumerGroup);
    return hub.logs.map((_, partition) => {
      const row = rows.find(({ partitionId }) => partitionId === String(partition));
      return hub.placeOf(partition, row?.sequenceNumber ?? -1) + 1;
    });
  };
  return {
    async compare() {
      for (const [partition, position] of (await checkpoints()).entries()) {
        const log = hub.logs[partition]!;
        if (position > log.length) throw new Error(`partition ${partition} is read beyond its end`);
        while (taken[partition]! < position) {
          const logged = log[taken[partition]!++]!;
          oracle.take(partition, logged);
          heard.set(logged.message.deviceId, logged.at);
        }
      }
      expect(await readImage(database)).toEqual(oracle.image());
      await completenessIsProven(database);
      await wholenessIsProven(database, clock.now(), heard, (deviceId) => {
        const partition = hub.partitionOf(deviceId);
        return hub.isKnown ? hub.logs[partition]![taken[partition]!]?.at : undefined;
      });
      await noStampIsAhead(database, clock.now() + clockErrorMs);
    },
    heard(requestId, outcome) {
      if (outcome.kind !== 'answered') return;
      const before = said.get(requestId) ?? {};
      const { status } = outcome;
      const now = clock.now();
      if (status === 200 || status === 202) said.set(requestId, { ...before, taken: before.taken ?? now });
      else if (status === 400) said.set(requestId, { ...before, refused: true });
      else said.set(requestId, { ...before, declined: before.declined ?? now });
    },
    async nothingIsGivenUpEarly() {
      const rows = await database.query<{ id: string; state: string; cause: string }>(
        `select r.id, r.state, (select cause from audit where subject = 'request' and subject_id = r.id and event = r.state
                                 order by id desc limit 1) as cause
           from request r where r.state in ('expired', 'abandoned')`,
      );
      for (const { id, state, cause } of rows) {
        const { taken: at, declined, refused } = said.get(id) ?? {};
        const now = clock.now();
        const longEnough =
          refused === true ||
          (at !== undefined && now - at >= historyLimits.detectionDelayMs) ||
          (declined !== undefined && now - declined >= historyLimits.expiryMs);
        if (!longEnough) throw new Error(`request ${id} is ${state} too early: ${cause}`);
      }
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
      // What retention removed before anything of the partition was read, nobody waits for.
      const isRead = hub.logs.every((log, i) => log.length === Math.max(read[i]!, hub.oldest[i]!));
      return row!.n === 0 && isRead;
    },
    oracle: () => oracle,
    forget() {
      oracle = createOracle();
      taken = [...hub.oldest];
      heard.clear();
      said.clear();
    },
    hubChanged() {
      const isSame = taken.length === hub.oldest.length && incarnation === hub.incarnation;
      taken = hub.oldest.map((oldest, partition) => (isSame ? Math.max(taken[partition]!, oldest) : oldest));
      incarnation = hub.incarnation;
    },
  };
}

/** A stream whose share is one has nothing missing, and has been heard of up to where its partition was read. */
async function completenessIsProven(database: Database): Promise<void> {
  const streams = await database.query<{ id: number; missing: boolean; behind: boolean }>(
    `select s.id, exists (select from stream_segment g where g.stream_id = s.id and g.missing <> '{}') as missing,
            s.index_kind = 'time' and k.known_until > upper(s.span) + 3600000 as behind
       from stream s left join stream_known k on k.stream_id = s.id where s.messages > 0 and s.late_of is null`,
  );
  for (const { id, missing, behind } of streams) {
    const all = { start: Number.MIN_SAFE_INTEGER, end: Number.MAX_SAFE_INTEGER };
    const view = await readCoverage(database, id, all);
    if (view?.accounted === 1 && (missing || behind)) throw new Error(`stream ${id} is complete, and is not`);
  }
}

/**
 * A stream that is called whole misses nothing, was heard of lately, by when the hub had it, and nothing older of it is unread.
 * @param unread when the hub had the oldest message, of the partition that carries the device, which nobody has read.
 */
async function wholenessIsProven(
  database: Database,
  now: number,
  heard: ReadonlyMap<string, number>,
  unread: (deviceId: string) => number | undefined,
): Promise<void> {
  const period = { start: now - 3_600_000, end: now };
  const selection = { order: 'name', offset: 0, limit: 100, period, now, silenceMs } as const;
  const { page } = await judgeFleet(database, selection);
  const rows = await database.query<{ id: number; device_id: string }>('select id, device_id from stream');
  const missing = await database.query<{ id: number }>(
    `select distinct f.stream_id as id from stream_segment g join stream_family f on f.member_id = g.stream_id
      where g.missing <> '{}'`,
  );
  const holed = new Set(missing.map(({ id }) => id));
  const deviceOf = new Map(rows.map((row) => [row.id, row.device_id]));
  for (const { id, state } of page) {
    if (state !== 'whole') continue;
    const deviceId = deviceOf.get(id)!;
    const what = `stream ${id} of ${deviceId} is called whole`;
    if (holed.has(id)) throw new Error(`${what}, and is not`);
    if ((heard.get(deviceId) ?? 0) < now - 2 * silenceMs - clockErrorMs)
      throw new Error(`${what}, and nothing came of its device`);
    const waiting = unread(deviceId);
    if (waiting !== undefined && waiting < now - silenceMs - clockErrorMs)
      throw new Error(`${what}, and what came has not been read`);
  }
}

async function noStampIsAhead(database: Database, limit: number): Promise<void> {
  const [row] = await database.query<{ newest: number | null }>(
    `select greatest((select max(last_arrival_at) from stream), (select max(seen_at) from gap),
                     (select max(greatest(created_at, progress_at, accepted_at)) from request),
                     (select max(greatest(updated_at, idle_at, enqueued_at)) from checkpoint)) as newest`,
  );
  if ((row!.newest ?? 0) > limit) throw new Error(`a stamp lies ${row!.newest! - limit} ms in the future`);
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
