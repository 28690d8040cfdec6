// Compares the detector's ledger with the messages that the cloud received. Pure.
import { normalise, subtract } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import { type StreamCopy, voidCoverage } from './cloud-copy.ts';

export interface LedgerStream {
  readonly batchId: string;
  readonly covered: readonly Window[];
  readonly voids: readonly Window[];
  readonly gaps: readonly Window[];
  readonly openRequests: number;
  readonly gapsFound: number;
  readonly gapsClosed: number;
}

/** Where the detector's ledger says something else than the messages do. Empty: it is right. */
export function compareLedger(ledger: LedgerStream | undefined, copy: StreamCopy): string[] {
  if (!ledger) return [`the ledger does not know stream ${copy.batchId}`];
  const problems: string[] = [];
  const say = (what: string, windows: readonly Window[]) => {
    if (windows.length === 0) return;
    const [first] = windows as [Window];
    problems.push(`the ledger ${what}: ${windows.length} ranges, first ${first.start}-${first.end}`);
  };
  const covered = normalise(ledger.covered);
  const voids = normalise(ledger.voids);
  say('has covered what was never received', subtract(covered, copy.covered));
  say('has not covered what was received', subtract(copy.covered, covered));
  say('has void what was never declared', subtract(voids, voidCoverage(copy)));
  // A range that came after all is no longer void: both readings of that are right.
  say('lacks declared voids', subtract(subtract(voidCoverage(copy), voids), copy.covered));
  say('still has open gaps', ledger.gaps);
  if (ledger.openRequests > 0) problems.push(`the ledger has ${ledger.openRequests} requests open`);
  return problems;
}
