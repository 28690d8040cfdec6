// What a world can be found guilty of, and what it is judged by.
import type { Window } from '../../../wire/window.ts';
import type { RequestVerdict } from './request-judge.ts';
import type { RuleVerdict } from './rule-judge.ts';

/** What a run can be found guilty of. */
export type Verdict =
  | 'invented' // a reading that the equipment never showed, or at another place
  | 'altered' // a reading that is not as the equipment told it, or not all that it told with it
  | 'false-coverage' // a window claims, and does not hold
  | 'false-void' // void over what the equipment still has, or what was delivered by a window
  | 'future' // a claim on what has not happened
  | 'broken-promise' // a sample was called durable, and never came
  | 'lost' // the ledger is closed, and a sample is neither delivered nor in a void
  | 'not-closed' // the ledger does not close in bounded time
  | 'behind' // live data does not arrive although all is well
  | 'unbounded' // a queue, or the files, are larger than they may become
  | 'unsealed' // a sealed spool has something on its disk that anybody can read
  | 'crashed' // the module or the detector ended by itself
  | RequestVerdict
  | RuleVerdict;

export interface Finding {
  readonly verdict: Verdict;
  readonly stream: string;
  readonly detail: string;
}

export interface StreamAccount {
  readonly covered: readonly Window[];
  readonly voids: readonly Window[];
  readonly missing: readonly Window[];
}
