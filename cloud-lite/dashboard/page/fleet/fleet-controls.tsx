// What of the fleet is shown: by state, by name.
import type { FleetPage } from '../../../ledger/fleet.ts';
import { type StreamState, streamStates } from '../../../ledger/stream-states.ts';
import { accountHref, type FleetAsk } from '../live/calls.ts';
import { Search } from '../shell/search.tsx';
import { stateMeanings, stateNames } from '../shell/state-badge.tsx';
import { StateFilter } from '../shell/state-filter.tsx';
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
  return (
    <div class="controls">
      <h2 id="streams-title">Streams</h2>
      <StateFilter
        of="streams"
        states={streamStates}
        counts={counts}
        chosen={ask.state}
        shown={(state) => ({ icon: state, name: stateNames[state], meaning: stateMeanings[state] })}
        onChoose={(state) => onChoose({ state })}
      />
      <span class="line-end" />
      <Search of="device, module or stream" search={ask.search} onSearch={(search) => onChoose({ search })} />
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
