// Which messages of a stopped or damaged store are known to have been sent.
import { stateKey } from '../format/keys.ts';
import type { SpoolState } from '../format/totals.ts';
import type { SpoolReader } from './spool-reader.ts';

export interface LaneEvidence {
  /** Messages with a lower id were sent: the state says that none of them waited. 0 where there is no state. */
  readonly sentBelow: number;
  /** The lanes have lost no entry: a message without one was sent. */
  readonly isWhole: boolean;
}

/** `state`: the store's own; undefined where it cannot be read. */
export function laneEvidence(reader: SpoolReader, state: SpoolState | undefined): LaneEvidence {
  let entries = 0;
  for (const _ of reader.entries('u')) entries++;
  // After the scan: it comes across what is damaged there. The value log has no entries of lanes.
  const problems = reader.source.problems ?? [];
  const isDamaged = problems.some(
    ({ severity, file }) => severity === 'damage' && !/^values(\/|$)/.test(file),
  );
  // A state whose sum is wrong counts nothing; one that is missing may have gone with entries of the lanes.
  const isCounted =
    state === undefined
      ? reader.source.get(stateKey) !== undefined
      : state.totals.unsent.messages === entries;
  return { sentBelow: state?.unsentHead ?? 0, isWhole: isCounted && !isDamaged };
}
