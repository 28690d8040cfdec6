import { useState } from 'preact/hooks';
import type { AlertView } from '../../../health/alerts.ts';
import { ActionDialog } from '../actions/action-dialog.tsx';
import { calls } from '../live/calls.ts';
import { useNow } from '../live/context.ts';
import { zone } from '../live/platform.ts';
import { useNotice } from '../shell/notice.tsx';
import { momentText, wordsOf } from '../text/format.ts';

/** Alerts that are seen without asking. */
const shown = 3;

export function Alerts(props: {
  readonly alerts: readonly AlertView[] | undefined;
  readonly onTest: () => void;
}) {
  const { alerts } = props;
  const [isTesting, setIsTesting] = useState(false);
  if (alerts === undefined) return null;
  const rest = alerts.slice(shown);
  return (
    <section class="card alerts" aria-labelledby="alerts-title">
      <div class="controls">
        <h2 id="alerts-title">Latest alerts</h2>
        <span class="grow" />
        <button type="button" class="quiet" onClick={() => setIsTesting(true)}>
          Send a test alert
        </button>
      </div>
      {alerts.length === 0 && <p class="nothing">None.</p>}
      {isTesting && <TestAlert onClose={() => setIsTesting(false)} onDone={props.onTest} />}
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

function TestAlert(props: { readonly onClose: () => void; readonly onDone: () => void }) {
  const notice = useNotice();
  return (
    <ActionDialog
      title="Send a test alert"
      confirm="Send"
      onClose={props.onClose}
      act={async (token) => {
        await calls.testAlert(token);
        notice('Sent: to the log, to this page, and to the webhook if there is one.');
        props.onDone();
      }}
    >
      <p>An alert that says that nothing is wrong goes the way of all others.</p>
    </ActionDialog>
  );
}

function AlertList({ alerts }: { readonly alerts: readonly AlertView[] }) {
  const now = useNow();
  return (
    <ul class="log">
      {alerts.map((alert) => (
        <li key={alert.id}>
          <time dateTime={new Date(alert.at).toISOString()}>{momentText(alert.at, now, zone)}</time>
          <span>
            <b>{wordsOf(alert.kind)}</b> {alert.message}
          </span>
        </li>
      ))}
    </ul>
  );
}
