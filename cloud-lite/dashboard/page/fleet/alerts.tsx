import type { AlertView } from '../../../health/alerts.ts';
import { useNow } from '../live/context.ts';
import { zone } from '../live/platform.ts';
import { momentText } from '../text/format.ts';

/** Alerts that are seen without asking. */
const shown = 3;

export function Alerts({ alerts }: { readonly alerts: readonly AlertView[] | undefined }) {
  if (alerts === undefined || alerts.length === 0) return null;
  const rest = alerts.slice(shown);
  return (
    <section class="card alerts" aria-labelledby="alerts-title">
      <h2 id="alerts-title">Latest alerts</h2>
      <AlertList alerts={alerts.slice(0, shown)} />
      {rest.length > 0 && (
        <details>
          <summary>{rest.length} earlier</summary>
          <AlertList alerts={rest} />
        </details>
      )}
    </section>
  );
}

function AlertList({ alerts }: { readonly alerts: readonly AlertView[] }) {
  const now = useNow();
  return (
    <ul class="log">
      {alerts.map((alert) => (
        <li key={alert.id}>
          <time dateTime={new Date(alert.at).toISOString()}>{momentText(alert.at, now, zone)}</time>
          <span>{alert.message}</span>
        </li>
      ))}
    </ul>
  );
}
