import { countText } from '../text/format.ts';

/** The way through a list that is longer than a page. */
export function Pages(props: {
  readonly of: string;
  readonly offset: number;
  readonly shown: number;
  readonly total: number;
  readonly size: number;
  readonly onOffset: (offset: number) => void;
}) {
  const { of, offset, shown, total, size } = props;
  if (total <= size) return null;
  return (
    <nav class="pages" aria-label={`Pages of ${of}`}>
      <span>
        {countText(offset + 1)}–{countText(offset + shown)} of {countText(total)}
      </span>
      <button
        type="button"
        disabled={offset === 0}
        onClick={() => props.onOffset(Math.max(0, offset - size))}
      >
        Previous
      </button>
      <button type="button" disabled={offset + shown >= total} onClick={() => props.onOffset(offset + size)}>
        Next
      </button>
    </nav>
  );
}
