import type { ComponentChildren } from 'preact';

/** One figure with its name; `note` says more in small letters. */
export function Figure(props: {
  readonly name: string;
  readonly value: ComponentChildren;
  readonly note?: ComponentChildren;
}) {
  return (
    <div class="figure">
      <dt>{props.name}</dt>
      <dd>
        <span class="value">{props.value}</span>
        <span class="note">{props.note ?? ' '}</span>
      </dd>
    </div>
  );
}
