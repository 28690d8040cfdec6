// What became of actions: a row of the rule's stream for each, in one commit with the end of its intent. So after a crash either the
// intent is still there, or its outcome is.
import type { Clock } from '../../../kernel/clock.ts';
import { codeOf, describeError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Value } from '../../../wire/reading.ts';
import type { SourceSink } from '../../sources/source.ts';
import type { Intent, Outcome } from '../actions/intent.ts';
import { ruleStreamId } from '../rule-settings.ts';
import type { CommitTap } from './commit-tap.ts';
import { RuleStream } from './rule-stream.ts';

export const intentPrefix = 'rules.intent.';

export type OutcomeCounts = Readonly<Partial<Record<Outcome['kind'], number>>>;

export interface OutcomesOptions {
  readonly tap: CommitTap;
  readonly clock: Clock;
  readonly log: Log;
  /** The stream of a rule that runs. */
  streamOf(rule: string): RuleStream | undefined;
  openStream(batchId: string): { readonly sink: SourceSink; readonly floor: number | undefined };
  closeStream(batchId: string): Promise<void>;
  /** That wait for room; more are left to a later process. */
  readonly maxWaiting: number;
}

export class Outcomes {
  readonly #options: OutcomesOptions;
  readonly #counts = new Map<string, OutcomeCounts>();
  /** Without a row so far. */
  readonly #waiting: { readonly intent: Intent; readonly outcome: Outcome }[] = [];

  constructor(options: OutcomesOptions) {
    this.#options = options;
  }

  /** What became of the actions of a rule that runs, since the start. */
  countsOf(rule: string): OutcomeCounts {
    return this.#counts.get(rule) ?? {};
  }

  forget(rule: string): void {
    this.#counts.delete(rule);
  }

  /** Where there is no room for its row it is told later, and until then the intent stands. */
  tell(intent: Intent, outcome: Outcome): void {
    const { tap, maxWaiting } = this.#options;
    if (this.#write(intent, this.#valueOf(intent, outcome))) {
      tap.note(intentPrefix + intent.id, undefined);
      this.#count(intent.rule, outcome);
    } else if (this.#waiting.length < maxWaiting) this.#waiting.push({ intent, outcome });
  }

  tellWaiting(): void {
    for (const { intent, outcome } of this.#waiting.splice(0)) this.tell(intent, outcome);
  }

  #count(rule: string, { kind }: Outcome): void {
    if (this.#options.streamOf(rule) === undefined) return;
    const counts = this.countsOf(rule);
    this.#counts.set(rule, { ...counts, [kind]: (counts[kind] ?? 0) + 1 });
  }

  #valueOf({ id, target, time }: Intent, { kind, attempts, code, message }: Outcome): Value {
    const told = { id, target, outcome: kind, time, at: this.#options.clock.now(), attempts };
    return {
      ...told,
      ...(code === undefined ? {} : { code }),
      ...(message === undefined ? {} : { message }),
    };
  }

  #write(intent: Intent, value: Value): boolean {
    const stream = this.#options.streamOf(intent.rule);
    return stream === undefined ? this.#writeOfNone(intent, value) : stream.outcome(intent.id, value);
  }

  /** Its rule does not run: into the stream that it had. */
  #writeOfNone({ id, rule, time }: Intent, value: Value): boolean {
    const { openStream, closeStream, log } = this.#options;
    const streamId = ruleStreamId({ name: rule });
    try {
      const { sink, floor } = openStream(streamId);
      const isTold = new RuleStream(sink, floor ?? time).outcome(id, value);
      void closeStream(streamId).catch(() => {});
      return isTold;
    } catch (error) {
      log.warn(
        { code: codeOf(error, 'unexpected-trouble'), rule, id, reason: describeError(error) },
        'the outcome of an action cannot be stored',
      );
      return true;
    }
  }
}
