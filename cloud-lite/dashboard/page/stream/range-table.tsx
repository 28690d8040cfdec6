// The table that gaps and requests are listed in: ranges of the stream, what has become of each, what can be done.
import type { ComponentChildren } from 'preact';

interface Props {
  readonly kind: 'gaps' | 'requests';
  /** Titles of the third and fourth column, which hold numbers. */
  readonly numbers: readonly [string, string];
  readonly children: ComponentChildren;
}

export function RangeTable({ kind, numbers, children }: Props) {
  return (
    <table class={kind}>
      <thead>
        <tr>
          <th scope="col">Range</th>
          <th scope="col">State</th>
          {numbers.map((name) => (
            <th key={name} scope="col" class="right">
              {name}
            </th>
          ))}
          <th scope="col">
            <span class="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

/** The first two cells of a row. */
export function RangeCells(props: {
  readonly range: ComponentChildren;
  readonly rangeNote: string;
  readonly state: string;
  readonly cause: string;
}) {
  return (
    <>
      <th scope="row" class="name">
        {props.range}
        <span class="note">{props.rangeNote}</span>
      </th>
      <td class="cause">
        <span class="value">{props.state}</span>
        <span class="note">{props.cause}</span>
      </td>
    </>
  );
}
