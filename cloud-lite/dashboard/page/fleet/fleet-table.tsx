import type { FleetPage, FleetStream } from '../../../ledger/fleet.ts';
import type { FleetAsk } from '../live/calls.ts';
import { useNow } from '../live/context.ts';
import { zone } from '../live/platform.ts';
import { Pages } from '../shell/pages.tsx';
import { streamHref } from '../shell/route.ts';
import { StateBadge } from '../shell/state-badge.tsx';
import { agoText, countText, lengthText, momentText, originText, plural, shareText } from '../text/format.ts';
import { layoutTicks } from '../timeline/layout.ts';
import { useWidth } from '../timeline/use-width.ts';
import { periods } from './fleet-controls.tsx';
import { shareOf } from './share.ts';
import { Strip } from './strip.tsx';

export function FleetTable(props: {
  readonly page: FleetPage;
  readonly ask: FleetAsk;
  readonly onOffset: (offset: number) => void;
}) {
  const { page, ask } = props;
  const now = useNow();
  const { state } = ask;
  const periodName = periods.find(([, lengthMs]) => lengthMs === ask.periodMs)?.[0] ?? '';
  const total =
    state === undefined ? Object.values(page.counts).reduce((a, b) => a + b, 0) : page.counts[state];
  if (page.streams.length === 0) return <p class="nothing">No stream is like that.</p>;
  return (
    <>
      <table class="fleet">
        <thead>
          <tr>
            <th scope="col">Stream</th>
            <th scope="col">State</th>
            <th scope="col" class="right">
              Complete
            </th>
            <th scope="col">
              <StripAxis period={page.period} name={periodName} />
            </th>
            <th scope="col" class="right">
              Gaps
            </th>
            <th scope="col" class="right">
              Last data
            </th>
          </tr>
        </thead>
        <tbody>
          {page.streams.map((stream) => (
            <FleetRow key={stream.id} stream={stream} now={now} periodName={periodName} />
          ))}
        </tbody>
      </table>
      <Pages
        of="streams"
        offset={ask.offset}
        shown={page.streams.length}
        total={total}
        size={ask.limit}
        onOffset={props.onOffset}
      />
    </>
  );
}

/** The time axis of all strips of streams by time. */
function StripAxis({ period, name }: { readonly period: FleetPage['period']; readonly name: string }) {
  const [box, width] = useWidth<HTMLDivElement>();
  const ticks = layoutTicks('time', period, width, zone).filter(({ x }) => x > 20 && x < width - 20);
  return (
    <div ref={box} class="strip-axis">
      <span class="unseen">{name}</span>
      {ticks.map(({ x, label }) => (
        <span key={x} aria-hidden="true" style={{ left: `${x}px` }}>
          {label}
        </span>
      ))}
    </div>
  );
}

function FleetRow(props: {
  readonly stream: FleetStream;
  readonly now: number;
  readonly periodName: string;
}) {
  const { stream, now, periodName } = props;
  const { delivered } = shareOf(stream.lengths, stream.unheard);
  return (
    <tr>
      <th scope="row" class="name">
        <a href={streamHref(stream.id)}>{stream.batchId}</a>
        <span class="note">{originText(stream.deviceId, stream.moduleId)}</span>
      </th>
      <td class="state">
        <StateBadge state={stream.state} />
        {stream.awaySince !== null && (
          <span class="note" title="The hub says that its gateway is not connected">
            gateway offline
          </span>
        )}
      </td>
      <td class="right complete">
        <span class="value">{shareText(delivered)}</span>
        <span class="note">{lackText(stream)}</span>
      </td>
      <td class="past">
        <Strip
          cells={stream.strip}
          label={`${stream.batchId}, ${stream.index === 'time' ? periodName.toLowerCase() : 'all records'}`}
        />
      </td>
      <td class="right gaps">
        <span class="value">{stream.openGaps === 0 ? '–' : countText(stream.openGaps)}</span>
        <span class="note">{stream.openRequests === 0 ? ' ' : plural(stream.openRequests, 'request')}</span>
      </td>
      <td class="right last" title={momentText(stream.lastArrivalAt, now, zone)}>
        <span class="value">{agoText(now - stream.lastArrivalAt)}</span>
        <span class="note">{plural(stream.readings, 'reading')}</span>
      </td>
    </tr>
  );
}

/** The worst reason why the stream is not complete. */
function lackText({ index, lengths }: FleetStream): string {
  if (lengths.abandoned > 0) return `${lengthText(index, lengths.abandoned)} given up`;
  if (lengths.missing > 0) return `${lengthText(index, lengths.missing)} missing`;
  if (lengths.excused > 0) return `${lengthText(index, lengths.excused)} void`;
  return ' ';
}
