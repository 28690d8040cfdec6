// SQL: up to when each stream has been heard, and how far that is known. Silence (health/silence.ts) and the fleet's states
// rest on it.

/**
 * SQL: up to when the stream `s` is heard of. By time, as far as its claims reach; one whose claims lie in the future, no
 * longer than something came; one that never claimed anything, since it began.
 */
export const heardUntil = `(case when s.index_kind = 'time'
  then least(coalesce(upper(s.span), s.created_at), s.heard_at) else s.heard_at end)`;

/**
 * SQL, with `heardJoins`: the stream `s` is one by record number, and has been watched since by the word `w` of its module; or
 * its module says nothing of it, and something else of the module has come since.
 */
export const isHeardSince = (at: string) => `(s.index_kind = 'sequence' and (coalesce(w.heard_at, 0) >= ${at}
  or w.says is null and of_module.heard_at >= ${at}))`;

/** SQL: a common table for `isHeardSince`: when anything of each module came last. Once for all: one module may have any number of streams. */
export const heardTable = `
  heard_of as materialized (select device_id, module_id, max(heard_at) as heard_at from stream
                             where late_of is null and messages > 0 group by device_id, module_id)`;

/** SQL: what `isHeardSince` joins to the stream `s`. */
export const heardJoins = `
  left join stream_word w on w.stream_id = s.id
  left join heard_of of_module on of_module.device_id = s.device_id and of_module.module_id = s.module_id`;

/** SQL: common tables for `isUnknown`: up to when each partition is known, and all of them; modules that the hub calls not connected. */
export const knownTables = `${heardTable},
  known_of as materialized (select partition_id, known_until from partition_known),
  known_all as materialized (select min(known_until) as known_until from known_of),
  away_of as materialized (select device_id, module_id, disconnected_at from gateway where disconnected_at is not null)`;

/** SQL: what `isUnknown` joins to the stream `s`. */
export const knownJoins = `${heardJoins}
  left join known_of k on k.partition_id = s.partition_id
 cross join known_all h
  left join away_of on away_of.device_id = s.device_id and away_of.module_id = s.module_id`;

/**
 * SQL: since when the module of the stream `s` is not connected by the hub's word, and the stream not heard of; null
 * otherwise. What comes in spite of that word says more than it.
 */
export const awaySince = `(case when s.heard_at < away_of.disconnected_at then away_of.disconnected_at end)`;

/**
 * SQL, `now` and `silence` are its parameters: nobody knows whether the stream `s` still sends. Its module is not connected; or what its partition held has
 * not been read up to a while ago; or it has, and nothing of that says that the stream was there, which is silence once it is judged.
 */
export function isUnknown(now: string, silence: string): string {
  const until = 'coalesce(k.known_until, h.known_until, 0)';
  const limit = `(least(${now}::int8, ${until}) - ${silence}::int8)`;
  return `(${awaySince} is not null or ${until} < ${now}::int8 - ${silence}::int8 or ${heardUntil} < ${limit} and not ${isHeardSince(limit)})`;
}
