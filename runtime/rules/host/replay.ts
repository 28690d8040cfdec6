// Replays stored readings to a rule that starts, from where its saved state ends, or from as far back as its windows reach.
// Page by page, always from the stream that has been replayed least far, so that no more rows wait in the engine than when
// it was live.
import type { RuleStore } from '../rule-store.ts';
import type { HostedRule } from './hosted-rule.ts';
import type { RuleMemory } from './hosted-rule-types.ts';
import { InputTracker } from './input-tracker.ts';

export interface ReplayOptions {
  readonly store: RuleStore;
  readonly rule: Pick<HostedRule, 'streams' | 'take' | 'settle'>;
  readonly from: RuleMemory['origins'] | undefined;
  /** All of the rule's rows below it are in its stream. A rule without it never ran: it begins with what comes. */
  readonly toldTo: number | undefined;
  readonly reachMs: number;
}

const pageWindows = 20;
/** Beyond that it begins without what is older. */
const maxPages = 10_000;

/** How far each of its streams is known, for what comes next. */
export async function replay(options: ReplayOptions): Promise<ReadonlyMap<string, InputTracker>> {
  const { store, rule, from, toldTo, reachMs } = options;
  const trackers = new Map([...rule.streams].map((id) => [id, new InputTracker()]));
  if (toldTo === undefined && from === undefined) return trackers;
  const start = toldTo === undefined ? Number.MIN_SAFE_INTEGER : toldTo - reachMs;
  const at = new Map([...trackers.keys()].map((id) => [id, from?.[id]?.until ?? start]));
  for (let pages = 0; at.size > 0 && pages < maxPages; pages++) {
    const [id, position] = [...at].reduce((least, each) => (each[1] < least[1] ? each : least));
    const range = { start: position, end: Number.MAX_SAFE_INTEGER };
    const batches = await store.batches(id, range, pageWindows);
    for (const batch of batches) {
      for (const span of trackers.get(id)!.takeBatch(batch)) rule.take(id, span);
      rule.settle();
    }
    const end = batches.at(-1)?.window.end;
    if (end === undefined || end <= position) at.delete(id);
    else at.set(id, end);
  }
  return trackers;
}
