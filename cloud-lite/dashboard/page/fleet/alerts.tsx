import type { AlertView } from '../../../health/alerts.ts';
import { useNow } from '../live/context.ts';
import { zone } from '../live/platform.ts';
import { momentText } from '../text/format.ts';

export function Alerts({ alerts }: { readonly alerts: readonly AlertView[] | undefined }) {
  const now = useNow();
  if (alerts === undefined || alerts.length === 0) return null;
  return (
    <section class="card" aria-labelledby="alerts-title">
      <h2 id="alerts-title">Latest alerts</h2>
      <ul class="log">
        {alerts.map((alert) => (
          <li key={alert.id}>
            <time dateTime={new Date(alert.at).toISOString()}>{momentText(alert.at, now, zone)}</time>
            <span>{alert.message}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
