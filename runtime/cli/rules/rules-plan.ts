// What rules read, keep and send, for `holdfast check`. Loads the engine: only where there are rules.
import { type Config, ruleSources } from '../../config/schema.ts';
import { compileRule } from '../../rules/compile-rule.ts';
import type { RuleExplanation } from '../../rules/engine-api.ts';
import { explainRule, explanationText } from '../../rules/explain.ts';
import {
  actionsOf,
  inputStreams,
  type RuleSettings,
  ruleConfigOf,
  ruleStreamId,
} from '../../rules/rule-settings.ts';

export interface RulePlan extends RuleExplanation {
  readonly stream: string;
  /** Of its stream, at most, for one key, whatever its rows are. */
  readonly messagesPerDay: number;
  /** Messages and writes a day at most, for one key; absent where its rows cannot be counted beforehand: then `perMinute` bounds them. */
  readonly actionsPerDay?: number;
  readonly perMinute: number;
  /** Settings that change what it promises. */
  readonly modes: readonly string[];
}

const dayMs = 86_400_000;

export function planRules(config: Config): readonly RulePlan[] {
  const { rules, windows } = config;
  const streams = ruleSources(config);
  return rules.map((rule) => planRule(rule, streams, windows));
}

function planRule(
  rule: RuleSettings,
  sources: ReadonlyMap<string, string>,
  { ageMs, quietMs }: Config['windows'],
): RulePlan {
  const compiled = compileRule(ruleConfigOf(rule, inputStreams(rule, sources)));
  const explained = explainRule(compiled);
  const { rowsPerDay } = explained;
  // A window that holds rows closes at the one age, and one without at the other.
  const busy = dayMs / ageMs;
  const quiet = dayMs / Math.max(ageMs, quietMs);
  const messagesPerDay = Math.ceil(rowsPerDay === undefined ? busy : Math.min(busy, quiet + 2 * rowsPerDay));
  const lists = [...actionsOf(rule, compiled.outputs).values()];
  const actions = Math.max(0, ...lists.map((list) => list.filter((each) => each !== 'upstream').length));
  const actionsPerDay = actions === 0 ? 0 : rowsPerDay === undefined ? undefined : actions * rowsPerDay;
  const modes = [
    ...(rule.dryRun ? ['dryRun: nothing is carried out'] : []),
    ...(rule.beforeDurable ? ['beforeDurable: a power cut may take back what it rests on'] : []),
    ...(rule.actOnLacking ? ['actOnLacking: acts although an input may lack something'] : []),
  ];
  return {
    ...explained,
    ...{ stream: ruleStreamId(rule), messagesPerDay, perMinute: rule.perMinute, modes },
    ...(actionsPerDay === undefined ? {} : { actionsPerDay }),
  };
}

export function rulesText(plans: readonly RulePlan[]): string {
  return plans.map(planText).join('\n');
}

function planText(plan: RulePlan): string {
  const { stream, messagesPerDay, actionsPerDay, perMinute, modes } = plan;
  const acts =
    actionsPerDay === undefined
      ? `at most ${perMinute} a minute for one target`
      : `at most ${actionsPerDay} a day for each key`;
  return [
    explanationText(plan),
    `  stream ${stream}: at most ${messagesPerDay} messages a day for each key`,
    ...(actionsPerDay === 0 ? [] : [`  acts: ${acts}`]),
    ...modes.map((mode) => `  ${mode}`),
  ].join('\n');
}
