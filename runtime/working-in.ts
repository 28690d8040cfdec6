// What of the module works, and why the rest does not: the judge of a configuration on trial.
import type { Working } from './config/trial.ts';
import type { ReportParts } from './report-parts.ts';

type WorkingParts = Pick<ReportParts, 'uplink' | 'sources'>;

/** A source that is held for lack of room was connected, and shows nothing meanwhile. */
export function workingIn({ uplink, sources }: WorkingParts): Working {
  const states = [...sources.running].map(([id, source]) => [id, source.state()] as const);
  const { connected, diagnosis } = uplink.state();
  return {
    hub: connected,
    sources: new Set(
      states.flatMap(([id, { phase }]) => (['connected', 'held'].includes(phase) ? [id] : [])),
    ),
    hubError: diagnosis,
    sourceErrors: new Map(
      states.flatMap(([id, { lastError }]) => (lastError === undefined ? [] : [[id, lastError.message]])),
    ),
  };
}
