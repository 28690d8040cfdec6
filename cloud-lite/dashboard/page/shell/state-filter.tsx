// Which states a list shows: all of them, or one; with how many there are of each.
import type { StreamState } from '../../../ledger/stream-states.ts';
import { countText } from '../text/format.ts';
import { StateIcon } from './state-badge.tsx';

export interface ShownState {
  /** Whose colour and form it has. */
  readonly icon: StreamState;
  readonly name: string;
  readonly meaning: string;
}

export function StateFilter<State extends string>(props: {
  /** What is listed, as `streams`. */
  readonly of: string;
  readonly states: readonly State[];
  readonly counts: Readonly<Record<State, number>>;
  readonly chosen: State | undefined;
  readonly shown: (state: State) => ShownState;
  readonly onChoose: (state: State | undefined) => void;
}) {
  const { of, states, counts, chosen, shown, onChoose } = props;
  const all = states.reduce((sum, state) => sum + counts[state], 0);
  return (
    <fieldset class="filters">
      <legend class="unseen">Show {of} by state</legend>
      <button
        type="button"
        class="filter"
        aria-pressed={chosen === undefined}
        onClick={() => onChoose(undefined)}
      >
        All <b>{countText(all)}</b>
      </button>
      {states.map((state) => {
        const { icon, name, meaning } = shown(state);
        return (
          <button
            key={state}
            type="button"
            class={`filter ${icon}`}
            title={meaning}
            aria-pressed={chosen === state}
            onClick={() => onChoose(chosen === state ? undefined : state)}
          >
            <StateIcon state={icon} />
            {name} <b>{countText(counts[state])}</b>
          </button>
        );
      })}
    </fieldset>
  );
}
