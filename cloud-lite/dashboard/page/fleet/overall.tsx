// The fleet in figures, and whether the detector itself is well.
import type { Summary } from '../../../ledger/summary.ts';
import type { Readiness } from '../live/calls.ts';
import { Figure } from '../shell/figure.tsx';
import { countText, durationText, plural, wordsOf } from '../text/format.ts';

export function Overall({
  summary,
  readiness,
}: {
  readonly summary: Summary;
  readonly readiness: Readiness | undefined;
}) {
  const open = summary.pendingRequests + summary.acceptedRequests;
  const lost = summary.lost.reduce((sum, { ms }) => sum + ms, 0);
  const aside = Object.values(summary.setAside).reduce((a, b) => a + b, 0);
  return (
    <section class="overall" aria-label="The fleet in figures">
      {readiness?.ready === false && (
        <p class="warning">
          <strong>The detector is not well.</strong> {readiness.problems.join('. ')}. What is missing or
          silent is not known for certain meanwhile.
        </p>
      )}
      <dl class="figures">
        <Figure
          name="Streams"
          value={countText(summary.streams)}
          note={`on ${plural(summary.devices, 'device')}`}
        />
        <Figure
          name="Open gaps"
          value={countText(summary.openGaps)}
          note={
            summary.waitingGaps === 0
              ? `in ${plural(summary.streamsWithGaps, 'stream')}`
              : `${countText(summary.waitingGaps)} may only be late`
          }
        />
        <Figure
          name="Requests"
          value={countText(open)}
          note={
            summary.unreachableRequests === 0
              ? 'on their way'
              : `${countText(summary.unreachableRequests)} unreachable`
          }
        />
        <Figure
          name="Gaps closed"
          value={countText(summary.gapsClosed)}
          note={`of ${countText(summary.gapsFound)} found`}
        />
        <Figure
          name="Readings"
          value={countText(summary.readings)}
          note={`in ${plural(summary.messages, 'message')}`}
        />
        <Figure
          name="Lost, last day"
          value={lost === 0 ? 'nothing' : durationText(lost)}
          note={
            summary.lost.length === 0 ? ' ' : summary.lost.map(({ reason }) => wordsOf(reason)).join(', ')
          }
        />
        <Figure name="Duplicates" value={countText(summary.duplicates)} note="merged" />
        <Figure
          name="Set aside"
          value={aside === 0 ? 'nothing' : countText(aside)}
          note={aside === 0 ? ' ' : Object.keys(summary.setAside).map(wordsOf).join(', ')}
        />
      </dl>
      {(summary.setAside['rule-action'] ?? 0) > 0 && (
        <p class="note">
          {plural(summary.setAside['rule-action']!, 'message')} that rules sent to other modules came here,
          too, and {summary.setAside['rule-action'] === 1 ? 'was' : 'were'} paid for: a route upstream names
          all outputs of its module.{' '}
          <code>FROM /messages/modules/holdfast/outputs/telemetry INTO $upstream</code> names one.
        </p>
      )}
    </section>
  );
}
