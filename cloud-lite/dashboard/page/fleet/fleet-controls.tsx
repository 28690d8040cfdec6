// What of the fleet is shown: by state, by name.
import { useEffect, useRef } from 'preact/hooks';
import type { FleetPage } from '../../../ledger/fleet.ts';
import { type StreamState, streamStates } from '../../../ledger/stream-states.ts';
import { accountHref, type FleetAsk } from '../live/calls.ts';
import { StateIcon, stateMeanings, stateNames } from '../shell/state-badge.tsx';
import { countText } from '../text/format.ts';
import { StripLegend } from './strip.tsx';

export const periods: readonly (readonly [name: string, lengthMs: number])[] = [
  ['Last 5 min', 300_000],
  ['Last hour', 3_600_000],
  ['Last day', 86_400_000],
  ['Last week', 7 * 86_400_000],
  ['Last 30 days', 30 * 86_400_000],
];

export interface FleetControlsProps {
  readonly counts: Readonly<Record<StreamState, number>>;
  readonly ask: FleetAsk;
  /** That the streams are judged by. */
  readonly period: FleetPage['period'];
  readonly onChoose: (change: Partial<FleetAsk>) => void;
}

export function FleetControls(props: FleetControlsProps) {
  const { counts, ask, onChoose } = props;
  const { state } = ask;
  const all = streamStates.reduce((sum, name) => sum + counts[name], 0);
  return (
    <div class="controls">
      <h2 id="streams-title">Streams</h2>
      <fieldset class="filters">
        <legend class="unseen">Show streams by state</legend>
        <button
          type="button"
          class="filter"
          aria-pressed={state === undefined}
          onClick={() => onChoose({ state: undefined })}
        >
          All <b>{countText(all)}</b>
        </button>
        {streamStates.map((name) => (
          <button
            key={name}
            type="button"
            class={`filter ${name}`}
            title={stateMeanings[name]}
            aria-pressed={state === name}
            onClick={() => onChoose({ state: state === name ? undefined : name })}
          >
            <StateIcon state={name} />
            {stateNames[name]} <b>{countText(counts[name])}</b>
          </button>
        ))}
      </fieldset>
      <span class="line-end" />
      <Search search={ask.search} onSearch={(search) => onChoose({ search })} />
      <label class="order">
        <span class="unseen">Period</span>
        <select
          value={ask.periodMs}
          onChange={(event) => onChoose({ periodMs: Number(event.currentTarget.value) })}
        >
          {periods.map(([name, lengthMs]) => (
            <option key={name} value={lengthMs}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="order">
        <span class="unseen">Order</span>
        <select
          value={ask.order}
          onChange={(event) => onChoose({ order: event.currentTarget.value === 'name' ? 'name' : 'worst' })}
        >
          <option value="worst">Worst first</option>
          <option value="name">By name</option>
        </select>
      </label>
      <a
        class="quiet"
        href={accountHref(props.period, ask)}
        download
        title="What is there in the period of each stream that is listed, and of all else why not"
      >
        CSV
      </a>
      <StripLegend />
    </div>
  );
}

function Search(props: { readonly search: string; readonly onSearch: (search: string) => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing =
        event.target instanceof Element && event.target.closest('input, textarea, select, dialog');
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  return (
    <label class="search">
      <span class="unseen">Search by device, module or stream</span>
      <input
        ref={input}
        type="search"
        placeholder="Search   /"
        maxLength={128}
        value={props.search}
        onInput={(event) => props.onSearch(event.currentTarget.value)}
      />
    </label>
  );
}
