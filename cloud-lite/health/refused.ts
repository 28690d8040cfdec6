// Tells of gateways that do not run the configuration that they were given: it is refused, or was taken back by the module. Once for
// each configuration, and again when the gateway runs what is wanted. A trial that follows says neither.
import type { Session } from '../database/database.ts';
import { type NewAlert, raiseAlerts } from './alerts.ts';

interface Gateway {
  readonly device_id: string;
  readonly module_id: string;
}

/** SQL: what the gateway `g` does not take: its state and the configuration, by hash where that could be read. */
const wanted = `g.config_state || ' ' || coalesce(g.config_hash, g.reported #>> '{config,version}', '')`;

export async function judgeRefused(session: Session, now: number): Promise<void> {
  const refused = await session.query<
    Gateway & { config_state: string; config_hash: string | null; problem: string | null }
  >(
    `with told as (
       insert into told_config as t (device_id, module_id, wanted)
       select g.device_id, g.module_id, ${wanted} from gateway g where g.config_state in ('refused', 'reverted')
       on conflict (device_id, module_id) do update set wanted = excluded.wanted where t.wanted <> excluded.wanted
       returning device_id, module_id
     ) select g.device_id, g.module_id, g.config_state, g.config_hash, g.problems[1] as problem
         from told join gateway g using (device_id, module_id) order by g.device_id, g.module_id`,
  );
  const over = await session.query<Gateway & { is_gone: boolean; config_hash: string | null }>(
    `with gone as (
       delete from told_config t
        where not exists (select from gateway g where (g.device_id, g.module_id) = (t.device_id, t.module_id)
                             and g.config_state is distinct from 'applied')
       returning device_id, module_id
     ) select gone.device_id, gone.module_id, g.device_id is null as is_gone, g.config_hash from gone left join gateway g using (device_id, module_id)
        order by gone.device_id, gone.module_id`,
  );
  await raiseAlerts(
    session,
    [
      ...refused.map((each) =>
        alertOf(
          each.config_state === 'refused' ? 'config-refused' : 'config-reverted',
          each,
          `${each.problem ?? `configuration ${each.config_state}`}${named(each.config_hash)}; the former one runs`,
        ),
      ),
      ...over.map((each) =>
        alertOf(
          'config-applied',
          each,
          each.is_gone
            ? 'is gone from the hub'
            : `runs the configuration that is wanted${named(each.config_hash)}`,
        ),
      ),
    ],
    now,
  );
}

const named = (hash: string | null) => (hash === null ? '' : ` (${hash})`);

function alertOf(kind: NewAlert['kind'], { device_id, module_id }: Gateway, what: string): NewAlert {
  return {
    kind,
    deviceId: device_id,
    moduleId: module_id,
    message: `gateway ${device_id}/${module_id}: ${what}`,
  };
}
