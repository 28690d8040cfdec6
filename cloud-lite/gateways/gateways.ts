// The gateways for people: the one place that judges them. A gateway has the first state that holds: its configuration is
// refused or was taken back; something is wrong by its own word; the hub says that it is not connected; nothing recent is known
// of it, or its configuration is on trial; it is well. What was bad stays bad until something else is known; what was well does not stay so.
import type { Session } from '../database/database.ts';
import { type ConfigState, configStates, type GatewayState, gatewayStates } from './gateway-states.ts';

export interface GatewayView {
  readonly deviceId: string;
  readonly moduleId: string;
  readonly state: GatewayState;
  readonly tags: Readonly<Record<string, string>>;
  readonly version: string | null;
  readonly configState: ConfigState;
  readonly configHash: string | null;
  readonly runningHash: string | null;
  readonly problems: readonly string[];
  readonly isConnected: boolean | null;
  /** Since when the hub is known to say that it is not; UTC epoch ms, null while it does not say so. */
  readonly disconnectedAt: number | null;
  /** When it last told; UTC epoch ms. */
  readonly reportedAt: number | null;
  /** When the hub was asked for that; UTC epoch ms. */
  readonly readAt: number;
}

export interface GatewayDetail extends GatewayView {
  /** Its reported properties. */
  readonly reported: Readonly<Record<string, unknown>>;
}

export interface Reading {
  /** When the last reading of all reached its end; null before the first. */
  readonly endedAt: number | null;
  /** Since when the hub gives no answer, and why. */
  readonly failingSince: number | null;
  readonly problem: string | null;
}

export interface GatewaySelection {
  readonly search?: string | undefined;
  readonly state?: GatewayState | undefined;
  /** Hash of the wanted configuration; empty where none is known. */
  readonly hash?: string | undefined;
  /** `name:value`; all of them hold. */
  readonly tags: readonly string[];
}

export interface JudgedAt {
  readonly now: number;
  /** The pause between two readings. */
  readonly intervalMs: number;
}

export interface GatewayPage {
  /** Counts all gateways that match the rest of the selection. */
  readonly counts: Readonly<Record<GatewayState, number>>;
  readonly gateways: readonly GatewayView[];
  /** The tags of all gateways: values by name. */
  readonly tags: Readonly<Record<string, readonly string[]>>;
  readonly reading: Reading;
}

/** Gateways of one group that want the configuration. */
export interface ConfigurationView {
  /** Null where it is not known. */
  readonly hash: string | null;
  /** The value of the tag that they are grouped by; null where they have none, and where they are not grouped. */
  readonly group: string | null;
  readonly states: Readonly<Record<ConfigState, number>>;
  /** How many gateways run it, whether they want it or another one. */
  readonly running: number;
  readonly versions: Readonly<Record<string, number>>;
}

export interface ConfigurationPage {
  readonly configurations: readonly ConfigurationView[];
  readonly reading: Reading;
}

const maxTagNames = 20;
const maxTagValues = 200;
/** Readings that may be missed before what is known is old. */
const missed = 3;

/** SQL: gateways judged; $1 now, $2 the pause between readings. */
const judged = `
  judged as (
    select g.*, g.read_at < $1::int8 - ${missed} * ($2::int8 + coalesce((select took_ms from twin_reading), 0)) as is_old
      from gateway g
  ), stated as (
    select j.*,
           case when config_state in ('refused', 'reverted') then 'refused'
                when problems <> '{}' then 'trouble'
                when is_old or config_state is null or config_state = 'trial' then 'unknown'
                when is_connected = false then 'offline'
                when config_state = 'waiting' then 'trouble'
                else 'well' end as state,
           case when config_state in ('refused', 'reverted') then config_state
                when is_old or config_state is null then 'unknown'
                when config_state in ('waiting', 'last-good', 'trial', 'applied') then config_state
                else 'unknown' end as shown
      from judged j
  )`;

/** SQL: $3 search, $4 hash, $5 tags. */
const selected = `
  ($3::text is null or position(lower($3) in lower(device_id || ' ' || module_id || ' ' || tags::text)) > 0)
  and ($4::text is null or coalesce(config_hash, '') = $4)
  and not exists (select from unnest($5::text[]) t
                   where tags->>split_part(t, ':', 1) is distinct from substr(t, strpos(t, ':') + 1))`;

const order = `array_position(array[${gatewayStates.map((state) => `'${state}'`).join(', ')}], state), device_id, module_id`;

const columns = `
  device_id as "deviceId", module_id as "moduleId", state, tags, version, shown as "configState", config_hash as "configHash",
  running_hash as "runningHash", problems, is_connected as "isConnected", disconnected_at as "disconnectedAt",
  reported_at as "reportedAt", read_at as "readAt"`;

export async function listGateways(
  session: Session,
  query: GatewaySelection & JudgedAt & { readonly offset: number; readonly limit: number },
): Promise<GatewayPage> {
  const params = [query.now, query.intervalMs, query.search ?? null, query.hash ?? null, query.tags];
  const counted = await session.query<{ state: GatewayState; count: number }>(
    `with ${judged} select state, count(*)::int8 as count from stated where ${selected} group by state`,
    params,
  );
  const gateways = await session.query<GatewayView>(
    `with ${judged} select ${columns} from stated where ${selected} and ($6::text is null or state = $6)
      order by ${order} offset $7 limit $8`,
    [...params, query.state ?? null, query.offset, query.limit],
  );
  const counts = Object.fromEntries(counted.map(({ state, count }) => [state, count]));
  return {
    counts: fill(gatewayStates, counts),
    gateways,
    tags: await tagValues(session),
    reading: await readReading(session),
  };
}

export async function readGateway(
  session: Session,
  { deviceId, moduleId }: { readonly deviceId: string; readonly moduleId: string },
  { now, intervalMs }: JudgedAt,
): Promise<GatewayDetail | undefined> {
  const [gateway] = await session.query<GatewayDetail>(
    `with ${judged} select ${columns}, reported from stated where device_id = $3 and module_id = $4`,
    [now, intervalMs, deviceId, moduleId],
  );
  return gateway;
}

/** Configurations that somebody wants or runs, those of the most gateways first; `by`: in groups by this tag. */
export async function listConfigurations(
  session: Session,
  query: GatewaySelection & JudgedAt & { readonly by?: string | undefined },
): Promise<ConfigurationPage> {
  const params = [query.now, query.intervalMs, query.search ?? null, query.hash ?? null, query.tags];
  const group = `case when $6::text is null then null else tags->>$6::text end as "group"`;
  const wanted = await session.query<Wanted>(
    `with ${judged} select config_hash as hash, ${group}, shown, version, count(*)::int8 as count from stated
      where ${selected} group by 1, 2, 3, 4`,
    [...params, query.by ?? null],
  );
  const running = await session.query<Omit<Wanted, 'shown' | 'version'>>(
    `with ${judged} select running_hash as hash, ${group}, count(*)::int8 as count from stated
      where running_hash is not null and ${selected} group by 1, 2`,
    [...params, query.by ?? null],
  );
  return { configurations: joined(wanted, running), reading: await readReading(session) };
}

interface Wanted {
  readonly hash: string | null;
  readonly group: string | null;
  readonly shown: ConfigState;
  readonly version: string | null;
  readonly count: number;
}

function joined(
  wanted: readonly Wanted[],
  running: readonly Omit<Wanted, 'shown' | 'version'>[],
): readonly ConfigurationView[] {
  const keyOf = ({ hash, group }: Pick<Wanted, 'hash' | 'group'>) => JSON.stringify([group, hash]);
  const by = Map.groupBy(wanted, keyOf);
  const runs = new Map(running.map((each) => [keyOf(each), each]));
  const keys = [...new Set([...by.keys(), ...runs.keys()])];
  const views = keys.map((key): ConfigurationView => {
    const [group, hash] = JSON.parse(key) as [string | null, string | null];
    const rows = by.get(key) ?? [];
    const sum = (of: (row: Wanted) => string) => {
      const sums: Record<string, number> = {};
      for (const row of rows) sums[of(row)] = (sums[of(row)] ?? 0) + row.count;
      return sums;
    };
    return {
      hash,
      group,
      states: fill(
        configStates,
        sum(({ shown }) => shown),
      ),
      running: runs.get(key)?.count ?? 0,
      versions: sum(({ version }) => version ?? 'unknown'),
    };
  });
  const size = ({ states, running: count }: ConfigurationView) =>
    Math.max(
      count,
      configStates.reduce((all, state) => all + states[state], 0),
    );
  const inOrder = (a: string | null, b: string | null) =>
    (a ?? '\uffff').localeCompare(b ?? '\uffff', 'en', { numeric: true });
  return views.sort((a, b) => inOrder(a.group, b.group) || size(b) - size(a) || inOrder(a.hash, b.hash));
}

async function tagValues(session: Session): Promise<Readonly<Record<string, readonly string[]>>> {
  const rows = await session.query<{ name: string; values: string[] }>(
    `select name, (array_agg(value order by value))[1:${maxTagValues}] as values
       from (select distinct t.key as name, t.value from gateway cross join lateral jsonb_each_text(tags) t) d
      group by name order by name limit ${maxTagNames}`,
  );
  return Object.fromEntries(rows.map(({ name, values }) => [name, values]));
}

async function readReading(session: Session): Promise<Reading> {
  const [reading] = await session.query<Reading>(
    `select ended_at as "endedAt", failing_since as "failingSince", problem from twin_reading`,
  );
  return reading ?? { endedAt: null, failingSince: null, problem: null };
}

function fill<Name extends string>(
  names: readonly Name[],
  counts: Readonly<Record<string, number>>,
): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name) => [name, counts[name] ?? 0])) as Record<Name, number>;
}
