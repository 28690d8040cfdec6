import type { StreamAside, StreamView } from '../../../ledger/streams.ts';
import type { Action } from '../actions/actions.tsx';
import { useNow } from '../live/context.ts';
import { agoText, plural, wordsOf } from '../text/format.ts';
import { whichText } from '../text/which-text.ts';
import { RangeCells, RangeTable } from './range-table.tsx';

interface Props {
  readonly stream: StreamView;
  readonly onAction: (action: Action) => void;
}

/** Messages of the stream that the ledger does not believe, and a person's way to have them taken all the same. */
export function SetAside({ stream, onAction }: Props) {
  const now = useNow();
  if (stream.setAside.length === 0) return null;
  return (
    <section class="card" aria-labelledby="set-aside-title">
      <h2 id="set-aside-title">Set aside</h2>
      <RangeTable kind="gaps" numbers={['Messages', 'Last']}>
        {stream.setAside.map((aside) => (
          <tr key={`${aside.streamId} ${aside.reason}`}>
            <RangeCells
              range={<span class="mono">{rangeOf(stream, aside)}</span>}
              rangeNote="claimed"
              state={wordsOf(aside.reason)}
              cause={aside.detail}
            />
            <td class="right attempts">
              <span class="value">{aside.messages}</span>
              <span class="narrow-only"> {plural(aside.messages, 'message')}</span>
            </td>
            <td class="right age">{agoText(now - aside.lastAt)}</td>
            <td class="actions">
              {aside.range !== null && (
                <button type="button" onClick={() => onAction(acceptance(stream, aside, aside.range!))}>
                  Accept<span class="unseen"> {rangeOf(stream, aside)}</span>
                </button>
              )}
            </td>
          </tr>
        ))}
      </RangeTable>
    </section>
  );
}

const isLate = (stream: StreamView, aside: StreamAside) => aside.streamId !== stream.id;

function rangeOf(stream: StreamView, aside: StreamAside): string {
  if (aside.range === null) return 'nothing';
  const [start, end] = aside.range;
  return whichText({ index: stream.index, lateSeries: isLate(stream, aside) ? '' : null, start, end });
}

function acceptance(stream: StreamView, aside: StreamAside, [start, end]: readonly [number, number]): Action {
  const lateSeries = isLate(stream, aside) ? '' : null;
  return { kind: 'accept', range: { start, end, streamId: aside.streamId, lateSeries } };
}
