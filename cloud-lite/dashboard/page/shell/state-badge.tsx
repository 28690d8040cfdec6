// A stream's state: a shape and a word, and a colour besides.
import type { StreamState } from '../../../ledger/stream-states.ts';

export const stateNames: Readonly<Record<StreamState, string>> = {
  missing: 'Missing',
  lost: 'Lost',
  late: 'Late',
  silent: 'Silent',
  repairing: 'Repairing',
  unknown: 'Not known yet',
  whole: 'Whole',
};

export const stateMeanings: Readonly<Record<StreamState, string>> = {
  missing: 'something is not there, and nobody is fetching it',
  lost: 'something is void, waived or set aside',
  late: 'it sends, but nothing of the last while',
  silent: 'nothing comes any more',
  repairing: 'all that is missing is being fetched',
  unknown:
    'what was sent has not been read up to now, or its gateway is not connected: whether it still sends is not known',
  whole: 'all of it is there',
};

const shapes: Readonly<Record<StreamState, string>> = {
  missing: 'M8 2.2 14.4 13.4H1.6zM8 6.6v3.2M8 11.6v.1',
  lost: 'M4 4l8 8M12 4l-8 8',
  late: 'M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11zM8 5v3.2l2.2 1.4',
  silent: 'M3 8h10',
  repairing: 'M13.2 8a5.2 5.2 0 0 1-9.4 3.1M2.8 8a5.2 5.2 0 0 1 9.4-3.1M12.4 1.8v3.3H9.1M3.6 14.2v-3.3h3.3',
  unknown: 'M5.4 6a2.6 2.6 0 1 1 3.9 2.3c-.9.5-1.3 1-1.3 1.9M8 12.6v.1',
  whole: 'M3 8.4 6.6 12 13 4.6',
};

export function StateIcon({ state }: { readonly state: StreamState }) {
  return (
    <svg class={`state-icon ${state}`} width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d={shapes[state]} />
    </svg>
  );
}

export function StateBadge({ state }: { readonly state: StreamState }) {
  return (
    <span class={`badge ${state}`} title={stateMeanings[state]}>
      <StateIcon state={state} />
      {stateNames[state]}
    </span>
  );
}
