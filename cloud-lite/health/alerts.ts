// Alerts: changes of state that people want to be told of, once each. They are rows, so that an alert and the change that
// it reports are one transaction, and its delivery survives a crash of the detector.
import type { Session } from '../database/database.ts';

/** docs/OPERATIONS.md says what to do about each. */
export const alertKinds = [
  'stream-late',
  'stream-silent',
  'stream-resumed',
  'device-silent',
  'device-resumed',
  'ingest-stalled',
  'ingest-resumed',
  'range-lost',
  'range-abandoned',
  'gap-open',
  'gap-closed',
  'device-unreachable',
  'device-reached',
  'gateway-disconnected',
  'gateway-connected',
  'config-refused',
  'config-reverted',
  'config-applied',
  'messages-set-aside',
  /** Its first message was contradicted by two that agree. */
  'stream-moved',
  'hub-remade',
  'hub-moved',
  'events-lost',
  /** The hub stated a number or a time of an event that cannot be. */
  'event-stamps-wrong',
  'streams-began-unread',
  'streams-ended-unread',
  'clock-was-ahead',
  /** A person tries whether alerts arrive. */
  'test',
  /** More changes at once than are told one by one. */
  'alerts-left-out',
] as const;
export type AlertKind = (typeof alertKinds)[number];

export interface NewAlert {
  readonly kind: AlertKind;
  readonly deviceId?: string;
  readonly moduleId?: string;
  readonly batchId?: string;
  readonly message: string;
}

export interface AlertView {
  readonly id: number;
  /** UTC epoch ms. */
  readonly at: number;
  readonly kind: string;
  readonly deviceId: string | null;
  readonly moduleId: string | null;
  readonly batchId: string | null;
  readonly message: string;
  /** Delivered, or given up. Null while it waits. */
  readonly doneAt: number | null;
}

/** Alerts of one check; more are a storm, and become one alert. */
const maxAtOnce = 500;

export async function raiseAlerts(session: Session, alerts: readonly NewAlert[], now: number): Promise<void> {
  if (alerts.length === 0) return;
  const list = alerts.length <= maxAtOnce ? alerts : [...alerts.slice(0, maxAtOnce - 1), leftOut(alerts)];
  await session.query(
    `insert into alert (at, kind, device_id, module_id, batch_id, message, due_at)
     select $1::int8, kind, device_id, module_id, batch_id, message, $1::int8
       from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
            as t(kind, device_id, module_id, batch_id, message)`,
    [
      now,
      list.map((alert) => alert.kind),
      list.map((alert) => alert.deviceId ?? null),
      list.map((alert) => alert.moduleId ?? null),
      list.map((alert) => alert.batchId ?? null),
      list.map((alert) => alert.message),
    ],
  );
}

function leftOut(alerts: readonly NewAlert[]): NewAlert {
  const count = alerts.length - (maxAtOnce - 1);
  return {
    kind: 'alerts-left-out',
    message: `${count} more changes came at the same time; the fleet's page has them all`,
  };
}

/** The message of a loss says what more was lost since, until the next alert tells that. */
export function listAlerts(
  session: Session,
  query: { readonly before?: number | undefined; readonly limit: number },
): Promise<readonly AlertView[]> {
  return session.query<AlertView>(
    `select a.id, a.at, a.kind, a.device_id as "deviceId", a.module_id as "moduleId", a.batch_id as "batchId",
            a.message || coalesce('; since then lost ' || l.since, '') as message, a.done_at as "doneAt"
       from (select * from alert where $1::int8 is null or id < $1 order by id desc limit $2) a
       left join lateral (
         select t.since from stream s join stream_family f on f.stream_id = s.id join told_loss t on t.stream_id = f.member_id
          where a.kind = 'range-lost' and s.late_of is null and t.said = a.message
            and (s.device_id, s.module_id, s.batch_id) = (a.device_id, a.module_id, a.batch_id) limit 1) l on true
      order by a.id desc`,
    [query.before ?? null, query.limit],
  );
}
