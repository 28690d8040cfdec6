import type { StreamView } from '../../../ledger/streams.ts';
import type { GapView } from '../../../repair/gap-views.ts';
import type { Action } from '../actions/actions.tsx';
import type { Range } from '../live/calls.ts';
import { useNow } from '../live/context.ts';
import { ageText, durationText, plural } from '../text/format.ts';
import { sizeText, whichText } from '../text/which-text.ts';
import { gapCause, gapStateText } from './gap-text.ts';
import { RangeCells, RangeTable } from './range-table.tsx';

interface Props {
  readonly stream: StreamView;
  readonly gaps: readonly GapView[] | undefined;
  readonly shown: 'live' | 'closed';
  readonly onShown: (shown: 'live' | 'closed') => void;
  readonly onAction: (action: Action) => void;
  readonly onFocus: (range: Range) => void;
}

const choices = [
  ['live', 'Open'],
  ['closed', 'Closed'],
] as const;

/** Pieces of a gap that the API lists. */
const maxListed = 100;

function nothingText(shown: Props['shown'], isMissing: boolean): string {
  if (shown === 'closed') return 'No gap was closed yet.';
  // A gap begins once the detection delay is over.
  return isMissing ? 'What is missing may only be late: it is waited for a little.' : 'Nothing is missing.';
}

export function Gaps({ stream, gaps = [], shown, onShown, onAction, onFocus }: Props) {
  const now = useNow();
  // The other list's answer is shown until this one's is there.
  const listed = gaps.filter(
    (gap) => (gap.state === 'closed' || gap.missing.length === 0) === (shown === 'closed'),
  );
  return (
    <section class="card" aria-labelledby="gaps-title">
      <div class="controls">
        <h2 id="gaps-title">Gaps</h2>
        <fieldset class="filters">
          <legend class="unseen">Show gaps</legend>
          {choices.map(([value, name]) => (
            <button
              key={value}
              type="button"
              class="filter"
              aria-pressed={shown === value}
              onClick={() => onShown(value)}
            >
              {name}
            </button>
          ))}
        </fieldset>
      </div>
      {listed.length === 0 ? (
        <p class="nothing">{nothingText(shown, stream.gaps.length > 0)}</p>
      ) : (
        <RangeTable kind="gaps" numbers={[shown === 'closed' ? 'Open for' : 'Age', 'Attempts']}>
          {listed.map((gap) => (
            <tr key={gap.gapId}>
              <RangeCells
                range={
                  gap.lateSeries === null ? (
                    <button
                      type="button"
                      class="link mono"
                      onClick={() => onFocus(gap)}
                      title="Show in the timeline"
                    >
                      {whichText(gap)}
                    </button>
                  ) : (
                    <span class="mono">{whichText(gap)}</span>
                  )
                }
                rangeNote={leftText(gap)}
                state={gapStateText(gap)}
                cause={gapCause(gap)}
              />
              <td class="right age">
                {gap.closedAt === null ? ageText(now - gap.seenAt) : durationText(gap.closedAt - gap.seenAt)}
              </td>
              <td class="right attempts">
                <span class="value">{gap.requests}</span>
                <span class="narrow-only"> {gap.requests === 1 ? 'attempt' : 'attempts'}</span>
              </td>
              <td class="actions">
                {gap.closedAt === null && (
                  <span class="buttons-row">
                    <button type="button" onClick={() => onAction({ kind: 'request', range: gap })}>
                      Request
                      <span class="unseen"> {whichText(gap)} again</span>
                    </button>
                    <button type="button" onClick={() => onAction({ kind: 'waive', range: gap })}>
                      Waive<span class="unseen"> {whichText(gap)}</span>
                    </button>
                  </span>
                )}
              </td>
            </tr>
          ))}
        </RangeTable>
      )}
      {stream.truncated && <p class="note">There are more ranges than are listed; the API has them all.</p>}
    </section>
  );
}

function leftText(gap: GapView): string {
  const { start, end, missing, missingLength, state } = gap;
  const whole = sizeText(gap, end - start);
  if (state === 'closed') return whole;
  const pieces = `${plural(missing.length, 'piece')}${missing.length === maxListed ? ' or more' : ''}`;
  if (missingLength === end - start) return `${whole} missing`;
  return `${sizeText(gap, missingLength)} of ${whole} missing, in ${pieces}`;
}
