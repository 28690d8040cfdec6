// Who can be asked for what a stream lacks, and so what may be declared lost. "Nobody" is a claim: it rests on a source that
// was built and offers no history, or has no such source, by a configuration that somebody gave and that is on no trial. A
// source that could not be built may stand for equipment that has it all, and so may one that a trial replaces or leaves out.
import type { HistoryAnswer } from './methods/backfill-jobs-api.ts';
import { isRuleStream } from './rules/rule-settings.ts';
import type { SourceSet } from './source-set.ts';
import type { SupervisedSource } from './sources/supervisor.ts';

type Sources = Pick<SourceSet<never, SupervisedSource>, 'isLoaded' | 'running' | 'isFailed'>;

/** `isDecided`: the configuration in force is one that somebody gave, and stays. */
export function historyOf(sources: Sources, isDecided: () => boolean): (batchId: string) => HistoryAnswer {
  return (batchId) => {
    const source = sources.running.get(batchId)?.source;
    if (source?.history !== undefined) return source.history;
    if (source !== undefined) return isDecided() ? 'no-history' : undefined;
    if (!sources.isLoaded || sources.isFailed(batchId) || !isDecided()) return undefined;
    // What was decided once is in the archive or nowhere: nothing decides again what is past.
    return isRuleStream(batchId) ? 'no-history' : 'removed';
  };
}

/** Whether equipment can perhaps be asked again for the stream, now or once its source is mended. */
export function mayBeHad(batchId: string, answer: HistoryAnswer): boolean {
  return answer !== 'no-history' && answer !== 'removed' && !isRuleStream(batchId);
}
