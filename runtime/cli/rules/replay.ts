// `holdfast rules replay`: what rules would have decided on what was recorded. They are driven as the module drives them at a
// start, from the stored windows; nothing is carried out.
import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { compileRule } from '../../rules/compile-rule.ts';
import type { RuleRow } from '../../rules/engine-api.ts';
import { HostedRule } from '../../rules/host/hosted-rule.ts';
import { replay } from '../../rules/host/replay.ts';
import { RuleStream } from '../../rules/host/rule-stream.ts';
import {
  actionsOf,
  inputStreams,
  type RuleSettings,
  ruleConfigOf,
  waitMsOf,
} from '../../rules/rule-settings.ts';
import type { Recorded } from './recorded.ts';

export interface ReplayedRow {
  readonly rule: string;
  readonly output: string;
  /** System.Timestamp, ISO 8601. */
  readonly time: string;
  readonly row: RuleRow['row'];
  /** All that it rests on was recorded. */
  readonly isWhole: boolean;
  readonly lacking?: readonly string[];
  /** The actions that the rule would have had carried out. */
  readonly actions: readonly object[];
}

export interface ReplaySummary {
  readonly rule: string;
  readonly rows: number;
  readonly actions: number;
  readonly readings: number;
  /** The engine's counts: rows that were refused, adjusted, dropped or could not be computed. */
  readonly counts: Readonly<Record<string, number>>;
  readonly problem?: string;
}

/** `sources`: ids of streams by the names of their sources. @throws HoldfastError of the query, or where nothing was recorded of it */
export async function replayRule(
  settings: RuleSettings,
  sources: ReadonlyMap<string, string>,
  { store, streams }: Recorded,
  onRow: (row: ReplayedRow) => void,
): Promise<ReplaySummary> {
  const { name } = settings;
  const waitMs = Math.max(1, waitMsOf(settings, []));
  const inputs = inputStreams(settings, sources);
  const compiled = compileRule(ruleConfigOf(settings, inputs));
  const used = new Map([...inputs].filter(([input]) => compiled.inputs.includes(input)));
  const wanted = [...used.values()].flat();
  const named = Object.values(settings.inputs ?? {}).flatMap(({ source }) => source);
  if (!wanted.some((id) => streams.includes(id)))
    throw new HoldfastError(
      'rules-test-invalid',
      `rule ${name} reads ${(wanted.length > 0 ? wanted : named).join(', ') || 'no source'}; recorded are: ${streams.join(', ') || 'none'}. ` +
        `Say which is which: for a query --input ${compiled.inputs[0] ?? 'input'}=STREAM, in YAML \`inputs\``,
    );
  let at = 0;
  const clock: Clock = { now: () => at, monotonic: () => at, setTimer: () => ({ cancel() {} }) };
  const actions = actionsOf(settings, compiled.outputs);
  const totals = { rows: 0, actions: 0 };
  const rule = new HostedRule({
    ...{
      compiled,
      inputs: used,
      stream: new RuleStream({ emit: () => true, durable: async () => {} }, undefined),
    },
    ...{ floor: undefined, waitMs, clock, log: silentLog, metrics: noMetrics },
    ...{ beforeDurable: false, upstream: new Set<string>(), onTold: () => {}, onSetBack: () => {} },
    onRow({ output, time, row }, lacking) {
      const isWhole = lacking.length === 0;
      const mayAct = isWhole || settings.actOnLacking;
      const meant = mayAct ? (actions.get(output) ?? []).filter((action) => action !== 'upstream') : [];
      totals.rows += 1;
      totals.actions += meant.length;
      const shown = { rule: name, output, time: new Date(time).toISOString(), row, isWhole, actions: meant };
      onRow({ ...shown, ...(isWhole ? {} : { lacking }) });
    },
  });
  await replay({ store, rule, from: {}, toldTo: undefined, reachMs: 0 });
  // What no source goes on from holds nothing up any more.
  at = waitMs + 1;
  rule.settle();
  const { rowsIn, refused, adjusted, dropped, late, failed, problem } = rule.status() as unknown as Status;
  const counts = { refused, adjusted, dropped, late, failed };
  return { rule: name, ...totals, readings: rowsIn, counts, ...(problem !== undefined && { problem }) };
}

type Status = Readonly<Record<'rowsIn' | 'refused' | 'adjusted' | 'dropped' | 'late' | 'failed', number>> & {
  readonly problem?: string;
};
