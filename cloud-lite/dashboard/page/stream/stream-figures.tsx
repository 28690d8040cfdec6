import type { StreamView } from '../../../ledger/streams.ts';
import { shareOf } from '../fleet/share.ts';
import { useNow } from '../live/context.ts';
import { zone } from '../live/platform.ts';
import { Figure } from '../shell/figure.tsx';
import { gatewayHref } from '../shell/route.ts';
import { StateBadge } from '../shell/state-badge.tsx';
import {
  agoText,
  countText,
  durationText,
  lengthText,
  momentText,
  plural,
  positionText,
  shareText,
} from '../text/format.ts';

export function StreamFigures({ stream }: { readonly stream: StreamView }) {
  const now = useNow();
  const { index, lengths } = stream;
  const { delivered, accounted } = shareOf(lengths, stream.unheard);
  return (
    <section aria-label="The stream in figures">
      <div class="headline">
        <h1>{stream.batchId}</h1>
        {stream.state !== null && <StateBadge state={stream.state} />}
        {stream.silentSince !== null && (
          <span class="note">nothing came since {momentText(stream.lastArrivalAt, now, zone)}</span>
        )}
        {stream.awaySince !== null && (
          <span class="note">
            not known since {momentText(stream.lastArrivalAt, now, zone)}:{' '}
            <a href={gatewayHref(stream.deviceId, stream.moduleId)}>its gateway</a> is not connected
          </span>
        )}
      </div>
      <dl class="figures">
        <Figure name="Complete" value={shareText(delivered)} note={`${shareText(accounted)} accounted`} />
        <Figure
          name="Missing"
          value={lengths.missing === 0 ? 'nothing' : lengthText(index, lengths.missing)}
          note={excusedText(stream)}
        />
        <Figure
          name="Gaps closed"
          value={countText(stream.gapsClosed)}
          note={`of ${countText(stream.gapsFound)} found`}
        />
        <Figure
          name={index === 'time' ? 'Newest data' : 'Newest record'}
          value={newestText(stream, now)}
          note={`arrived ${agoText(now - stream.lastArrivalAt)}`}
        />
        <Figure
          name="Readings"
          value={countText(stream.readings)}
          note={`in ${plural(stream.messages, 'message')}`}
        />
        <Figure
          name="Duplicates"
          value={countText(stream.duplicates)}
          note={
            stream.pendingParts === 0 ? 'merged' : `${plural(stream.pendingParts, 'part')} of windows waiting`
          }
        />
      </dl>
    </section>
  );
}

function excusedText({ index, lengths, voids, waived }: StreamView): string {
  if (lengths.excused === 0) return 'nothing void';
  const kinds = [...(voids.length > 0 ? ['void'] : []), ...(waived.length > 0 ? ['waived'] : [])];
  return `${lengthText(index, lengths.excused)} ${kinds.join(', ')}`;
}

function newestText({ index, last }: StreamView, now: number): string {
  if (last === null) return '–';
  if (index === 'sequence') return positionText(index, last - 1, zone);
  return now - last < 1000 ? 'now' : `${durationText(Math.floor((now - last) / 1000) * 1000)} old`;
}
