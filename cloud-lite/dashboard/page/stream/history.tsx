import type { AuditView } from '../../../ledger/audit.ts';
import { useNow } from '../live/context.ts';
import { zone } from '../live/platform.ts';
import { momentText, wordsOf } from '../text/format.ts';

export function History({ audit = [] }: { readonly audit: readonly AuditView[] | undefined }) {
  const now = useNow();
  if (audit.length === 0) return null;
  return (
    <section class="card" aria-labelledby="history-title">
      <details>
        <summary>
          <h2 id="history-title">History</h2>
          <span class="note">the last {audit.length} changes of state, with their causes</span>
        </summary>
        <ul class="log">
          {audit.map((entry) => (
            <li key={entry.id}>
              <time dateTime={new Date(entry.at).toISOString()}>{momentText(entry.at, now, zone)}</time>
              <span>
                {entry.subject} {wordsOf(entry.event)}
                {entry.cause !== null && <span class="note">: {entry.cause}</span>}
              </span>
            </li>
          ))}
        </ul>
      </details>
    </section>
  );
}
