// What a rule at work is given, what is noted of it, and what it says of itself.
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { MarkedStretch } from '../engine/marked-times.ts';
import type { CompiledRule, RuleRow, RuleState } from '../engine-api.ts';
import type { Origin } from './origins.ts';
import type { RuleStream } from './rule-stream.ts';
import type { Told, ToldNote } from './told.ts';

export interface HostedRuleOptions {
  readonly compiled: CompiledRule;
  /** Streams of each input. */
  readonly inputs: ReadonlyMap<string, readonly string[]>;
  readonly stream: RuleStream;
  /** The end of what the stream claims: below it all rows are in it. */
  readonly floor: number | undefined;
  /** It begins with what comes, in a stream that was there before: what its first windows held it does not know. */
  readonly isAmid?: boolean;
  /** What is in the stream besides, as `onTold` said. */
  readonly told?: Told | undefined;
  readonly waitMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** It is given what no commit has yet: its rows say so. */
  readonly beforeDurable: boolean;
  /** It acts on what rests on something unknown, too: so the short form need not wait for better. */
  readonly actOnLacking?: boolean;
  /** What a row asks for. `lacks`: inputs of which it rests on something that is not known. In the turn in which the row was emitted. */
  readonly onRow: (row: RuleRow, lacks: readonly string[]) => void;
  /** The end of its claims does not say any more which rows are in the stream. In the turn in which they were emitted. */
  readonly onTold: (note: ToldNote | undefined) => void;
  /** A clock was set back: what was noted of its state goes on from where nothing comes by now. */
  readonly onSetBack: () => void;
  /** Outputs whose rows belong into the stream. */
  readonly upstream: ReadonlySet<string>;
}

/** As noted with a commit. */
export interface RuleMemory {
  readonly state: RuleState;
  /** How far each stream was given to the engine, and what of that nobody knows. */
  readonly origins: Readonly<Record<string, Pick<Origin, 'until' | 'holes'>>>;
  /** As `#knownFrom`. */
  readonly knownFrom: Readonly<Record<string, number>>;
  /** As `#uncertain`. */
  readonly uncertain?: readonly MarkedStretch[];
}

export interface RuleStatus {
  readonly phase: 'running' | 'halted';
  readonly watermark?: number;
  readonly rows: number;
  readonly unwritten: number;
  readonly halts: number;
  readonly problem?: string;
}
