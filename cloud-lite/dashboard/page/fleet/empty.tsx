// A fleet without a stream: what to check, in the order in which data travels.
import type { Summary } from '../../../ledger/summary.ts';
import type { Readiness } from '../live/calls.ts';
import { useNow } from '../live/context.ts';
import { agoText, plural, wordsOf } from '../text/format.ts';

export function Empty({
  summary,
  readiness,
}: {
  readonly summary: Summary;
  readonly readiness: Readiness | undefined;
}) {
  return (
    <section class="card empty">
      <h1>No stream yet</h1>
      <p class="lead">
        A stream appears here by itself with its first message. If you expect one, here is what to check:
      </p>
      <ol>
        <li>
          <h2>The module runs and reads its equipment</h2>
          <p>
            On the gateway: <code>sudo iotedge list</code> shows it running;{' '}
            <code>sudo iotedge logs holdfast</code> says what it reads. <code>holdfast check</code> tests its
            configuration, <code>holdfast probe</code> its sources.
          </p>
        </li>
        <li>
          <h2>Its messages go upstream</h2>
          <p>
            The deployment needs the route{' '}
            <code>FROM /messages/modules/holdfast/outputs/telemetry INTO $upstream</code>.{' '}
            <code>sudo iotedge check</code> tests the gateway’s way to the hub.
          </p>
        </li>
        <li>
          <h2>The detector reads the hub</h2>
          <Reading summary={summary} readiness={readiness} />
        </li>
      </ol>
    </section>
  );
}

function Reading({
  summary,
  readiness,
}: {
  readonly summary: Summary;
  readonly readiness: Readiness | undefined;
}) {
  const now = useNow();
  const { partitions } = summary;
  const aside = Object.entries(summary.setAside);
  const readAt = Math.max(
    0,
    ...partitions.map(({ idleAt, newestEventAt }) => Math.max(idleAt, newestEventAt)),
  );
  return (
    <>
      <p>
        {readAt === 0
          ? 'No partition has been read yet. HOLDFAST_EVENTHUB_CONNECTION must be that of the hub’s built-in endpoint, and the consumer group must be the detector’s own.'
          : `It does: ${plural(partitions.length, 'partition')}, read to the end ${agoText(now - readAt)}.`}
      </p>
      {readiness?.ready === false && (
        <ul>
          {readiness.problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      {aside.length > 0 && (
        <p>
          Messages came that carry no window and were set aside:{' '}
          {aside.map(([reason, n]) => `${plural(n, 'message')} (${wordsOf(reason)})`).join(', ')}.
        </p>
      )}
    </>
  );
}
