// Tells of gateways that the hub calls not connected. Its word costs nothing more: the twins are read all the same
// (gateways/twin-reader.ts). Two readings in a row must say so, since a module that starts again is away for seconds; and
// what comes of its streams in spite of that says more than the hub's word.
import type { Session } from '../database/database.ts';
import { raiseAlerts } from './alerts.ts';

interface Gateway {
  readonly device_id: string;
  readonly module_id: string;
  readonly disconnected_at?: number;
}

/** SQL: the gateway `g` is away, by the hub's word, and had streams to send. */
const isAway = `g.disconnected_at is not null and exists (
  select from stream s where (s.device_id, s.module_id) = (g.device_id, g.module_id))
  and not exists (select from stream s where (s.device_id, s.module_id) = (g.device_id, g.module_id)
                                         and s.heard_at >= g.disconnected_at)`;

export async function judgeAway(session: Session, now: number): Promise<void> {
  const away = await session.query<Gateway>(
    `with told as (
       insert into told_away (device_id, module_id)
       select g.device_id, g.module_id from gateway g where g.read_at > g.disconnected_at and ${isAway}
       on conflict do nothing returning device_id, module_id
     ) select g.device_id, g.module_id, g.disconnected_at from told join gateway g using (device_id, module_id)
        order by g.device_id, g.module_id`,
  );
  const back = await session.query<Gateway & { readonly read_at: number | null }>(
    `delete from told_away t
      where not exists (select from gateway g where (g.device_id, g.module_id) = (t.device_id, t.module_id) and ${isAway})
     returning device_id, module_id,
               (select read_at from gateway g where (g.device_id, g.module_id) = (t.device_id, t.module_id)) as read_at`,
  );
  const alertOf = (
    kind: 'gateway-disconnected' | 'gateway-connected',
    { device_id, module_id }: Gateway,
    what: string,
  ) => ({
    kind,
    deviceId: device_id,
    moduleId: module_id,
    message: `gateway ${device_id}/${module_id} ${what}`,
  });
  await raiseAlerts(
    session,
    [
      ...away.map((each) => {
        const since = new Date(each.disconnected_at!).toISOString();
        return alertOf(
          'gateway-disconnected',
          each,
          `is not connected to the hub, by its word since ${since}`,
        );
      }),
      ...back.map((each) =>
        alertOf(
          'gateway-connected',
          each,
          each.read_at === null ? 'is gone from the hub' : 'is connected again',
        ),
      ),
    ],
    now,
  );
}
