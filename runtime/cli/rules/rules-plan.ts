// What rules read, keep and send, for `holdfast check`. Loads the engine: only where there are rules.
import { nearest } from '../../config/nearest.ts';
import { type Config, ruleSources, type SourceConfig, streamIdOf } from '../../config/schema.ts';
import { compileRule } from '../../rules/compile-rule.ts';
import type { CompiledRule, RuleExplanation } from '../../rules/engine-api.ts';
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
  const { rules, windows, sources } = config;
  const streams = ruleSources(config);
  return rules.map((rule) => {
    const inputs = inputStreams(rule, streams);
    const compiled = compileRule(ruleConfigOf(rule, inputs));
    return planRule(rule, compiled, unknownFields(rule, compiled, inputs, sources), windows);
  });
}

function planRule(
  rule: RuleSettings,
  compiled: CompiledRule,
  unknown: readonly string[],
  { ageMs, quietMs }: Config['windows'],
): RulePlan {
  const own = explainRule(compiled);
  const explained = { ...own, warnings: [...own.warnings, ...unknown] };
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

/** A name that is misspelt is NULL in each row, and what rests on it never holds: said where the tags of all its sources are listed. */
function unknownFields(
  { inputs: settings }: RuleSettings,
  { fields }: CompiledRule,
  inputs: ReadonlyMap<string, readonly string[]>,
  sources: readonly SourceConfig[],
): readonly string[] {
  return [...inputs].flatMap(([input, streams]) => {
    const read = sources.filter((source) => streams.includes(streamIdOf(source)));
    const tags = read.map(tagsOf);
    if (tags.some((names) => names === undefined)) return [];
    const known = tags.flatMap((names) => names ?? []);
    const { time = 'time' } = settings?.[input] ?? {};
    return (fields[input] ?? [])
      .filter((field) => field !== '*' && !isTime(field, time) && !known.some((tag) => isOf(tag, field)))
      .map((field) => {
        const meant = nearest(field, known);
        const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
        return `no tag of ${read.map(({ name }) => name).join(', ')} is named ${field}: it is NULL in each row${hint}`;
      });
  });
}

/** Undefined where nobody lists them: what other modules send has the fields that it has. */
function tagsOf(source: SourceConfig): readonly string[] | undefined {
  if (!('tags' in source) || !Array.isArray(source.tags) || source.tags.length === 0) return undefined;
  return (source.tags as readonly { readonly name: string }[]).map(({ name }) => name);
}

const isTime = (field: string, time: string) =>
  field.toLowerCase() === time.toLowerCase() || /^Event(?:Enqueued|Processed)UtcTime$/i.test(field);

/** The tag itself, a record that it is a part of, or a part of its value. */
function isOf(tag: string, field: string): boolean {
  const [one, other] = [tag.toLowerCase(), field.toLowerCase()];
  return one === other || one.startsWith(`${other}.`) || other.startsWith(`${one}.`);
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
