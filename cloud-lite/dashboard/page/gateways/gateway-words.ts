// Words for what is known of gateways. Pure.
import type { ConfigState, GatewayState } from '../../../gateways/gateway-states.ts';
import type { Reading } from '../../../gateways/gateways.ts';
import { durationText } from '../text/format.ts';

export const gatewayStateNames: Readonly<Record<GatewayState, string>> = {
  refused: 'Refused',
  trouble: 'Trouble',
  offline: 'Offline',
  unknown: 'Not known',
  well: 'Well',
};

export const gatewayStateMeanings: Readonly<Record<GatewayState, string>> = {
  refused: 'its configuration is refused, or was taken back; the former one runs',
  trouble: 'by its own word something is wrong',
  offline: 'the hub says that it is not connected',
  unknown: 'nothing recent is known of it, or its configuration is on trial',
  well: 'by its own word all is well, and that word is recent',
};

/** The mark of a state of streams that means as much. */
export const gatewayMarks = {
  refused: 'missing',
  trouble: 'lost',
  offline: 'silent',
  unknown: 'unknown',
  well: 'whole',
} as const;

export const configStateNames: Readonly<Record<ConfigState, string>> = {
  reverted: 'taken back',
  refused: 'refused',
  waiting: 'none yet',
  unknown: 'not known',
  'last-good': 'last good',
  trial: 'on trial',
  applied: 'applied',
};

export const shortHash = (hash: string | null): string => (hash === null ? 'not known' : hash.slice(0, 8));

/** How old what is shown is, where that matters; undefined while it is fresh. */
export function readingText({ endedAt, failingSince, problem }: Reading, now: number): string | undefined {
  if (failingSince === null)
    return endedAt === null ? 'The twins of the gateways are being read for the first time.' : undefined;
  const why = problem === null ? '' : `: ${problem}`;
  const age =
    endedAt === null
      ? 'Nothing is known of gateways yet.'
      : `What is shown was known ${durationText(now - endedAt)} ago, and is not known since.`;
  return `The hub gives no answer about gateways for ${durationText(now - failingSince)}${why}. ${age}`;
}

/** `9.9 GB`: two digits, as gateways tell it. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** at;
  return `${value < 10 && at > 0 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)} ${units[at]}`;
}
