import { useEffect, useState } from 'preact/hooks';
import type { IndexKind } from '../../../../wire/window.ts';
import type { Range } from '../live/calls.ts';
import { zone } from '../live/platform.ts';
import { lengthText } from '../text/format.ts';
import { boundText, parseBound } from './range-text.ts';

export function RangeField(props: {
  readonly index: IndexKind;
  readonly range: Range;
  readonly onRange: (range: Range | undefined) => void;
}) {
  const { index, onRange } = props;
  const [from, setFrom] = useState(boundText(index, Math.floor(props.range.start), zone));
  const [to, setTo] = useState(boundText(index, Math.ceil(props.range.end), zone));
  const start = parseBound(index, from, zone);
  const end = parseBound(index, to, zone);
  const isRange = start !== undefined && end !== undefined && start < end;

  useEffect(() => onRange(isRange ? { start, end } : undefined), [onRange, isRange, start, end]);

  return (
    <fieldset class="range-field">
      <legend class="unseen">Range</legend>
      <label class="field">
        <span>From</span>
        <input class="mono" required value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>To, not included</span>
        <input class="mono" required value={to} onInput={(event) => setTo(event.currentTarget.value)} />
      </label>
      <small>
        {isRange
          ? lengthText(index, end - start)
          : index === 'time'
            ? 'Needs two times like 2026-11-21 22:20:00, the first before the second.'
            : 'Needs two record numbers, the first before the second.'}
        {index === 'time' && ` Times are ${zone}${zone === 'UTC' ? '' : '; end one with Z for UTC'}.`}
      </small>
    </fieldset>
  );
}
