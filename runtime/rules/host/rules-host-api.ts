// What the module asks of its rules, and what they need for it.
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { SourceSink } from '../../sources/source.ts';
import type { Executor } from '../actions/executor.ts';
import type { Intent, Moment, Outcome } from '../actions/intent.ts';
import type { CompiledRule, RuleConfig } from '../engine-api.ts';
import type { RuleSettings } from '../rule-settings.ts';
import type { RuleStore } from '../rule-store.ts';
import type { CommitTap } from './commit-tap.ts';

export type CompileRule = (config: RuleConfig) => CompiledRule;

export interface RulesHostOptions {
  readonly store: RuleStore;
  readonly tap: CommitTap;
  /** The sink of a rule's stream, and the end of what that claimed before. */
  openStream(batchId: string): { readonly sink: SourceSink; readonly floor: number | undefined };
  closeStream(batchId: string): Promise<void>;
  /** Loads the engine: only where there are rules. */
  loadCompiler(): Promise<CompileRule>;
  executor(onOutcome: (intent: Intent, outcome: Outcome) => void): Executor;
  readonly moment: () => Moment;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface RuleSources {
  /** Ids of streams by the names of their sources. */
  readonly ids: ReadonlyMap<string, string>;
  /** How often each stream goes on, where that is known. */
  readonly paces: ReadonlyMap<string, { readonly everyMs: number }>;
}

export interface RulesHost {
  /** Before anything is read. What is decided waits for `release`. */
  start(rules: readonly RuleSettings[], sources: RuleSources): Promise<void>;
  /** Once the clock can be asked: what waits to be carried out is. */
  release(): void;
  /** A rule whose settings and streams are the same goes on untouched, and one that is only tuned with all that it holds. One call at a time. */
  change(rules: readonly RuleSettings[], sources: RuleSources): Promise<void>;
  readonly executor: Executor;
  status(): readonly object[];
  /** After the sources, before the windows close. */
  stop(): Promise<void>;
}
