// What rules read, keep and send, for `holdfast check`. Loads the engine: only where there are rules.
import { nearest } from '../../config/nearest.ts';
import { type Config, ruleSources, type SourceConfig, streamIdOf, tagsOf } from '../../config/schema.ts';
import { isTimeField } from '../../rules/check-queries.ts';
import { compileRule } from '../../rules/compile-rule.ts';
import type { CompiledRule, RuleExplanation } from '../../rules/engine-api.ts';
import { explainRule, explanationText } from '../../rules/explain.ts';
import { isFieldOf } from '../../rules/fields.ts';
import { durationText } from '../../rules/language/duration-text.ts';
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
    const notes = [
      ...unknownFields(rule, compiled, inputs, sources),
      ...slowInputs(rule, compiled, inputs, sources),
      ...sharedTargets(rule, rules),
    ];
    return planRule(rule, compiled, notes, windows);
  });
}

function planRule(
  rule: RuleSettings,
  compiled: CompiledRule,
  notes: readonly string[],
  { ageMs, quietMs }: Config['windows'],
): RulePlan {
  const own = explainRule(compiled);
  const explained = { ...own, warnings: [...own.warnings, ...notes] };
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

/** One that is polled more slowly than it is waited for lacks in nearly every verdict, and nothing is ever done. */
function slowInputs(
  { waitMs, actOnLacking }: RuleSettings,
  compiled: CompiledRule,
  inputs: ReadonlyMap<string, readonly string[]>,
  sources: readonly SourceConfig[],
): readonly string[] {
  const ids = new Set(compiled.inputs.flatMap((input) => inputs.get(input) ?? []));
  // What is alone waits for nobody.
  if (ids.size < 2) return [];
  return sources.flatMap((source) => {
    if (!ids.has(streamIdOf(source)) || !('pollMs' in source) || typeof source.pollMs !== 'number') return [];
    const { pollMs, name } = source;
    if (pollMs < waitMs) return [];
    const effect = actOnLacking ? 'most verdicts lack it' : 'most verdicts lack it, and are not acted on';
    return [
      `${name} is polled every ${durationText(pollMs)} and waited for ${durationText(waitMs)} (waitMs): ${effect}; set waitMs to ${durationText(2 * pollMs)}`,
    ];
  });
}

/** Each rule's limit is held against all that goes to the target, whoever sent it. */
function sharedTargets(rule: RuleSettings, rules: readonly RuleSettings[]): readonly string[] {
  return [...targetsOf(rule)].flatMap((target) => {
    const others = rules.filter((other) => other.name !== rule.name && targetsOf(other).has(target));
    if (others.length === 0) return [];
    const names = others.map(({ name }) => name).join(', ');
    return `${target} is also a target of ${names}: its perMinute counts what they do there, too, and all of it is carried out in the order in which it was decided`;
  });
}

function targetsOf({ outputs }: RuleSettings): ReadonlySet<string> {
  const actions = Array.isArray(outputs) ? outputs : Object.values(outputs).flat();
  const targets = actions.flatMap((action) => {
    if (action === 'upstream') return [];
    return 'send' in action ? `send ${action.send}` : `write ${action.write.source} ${action.write.tag}`;
  });
  return new Set(targets);
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
      .filter(
        (field) => field !== '*' && !isTimeField(field, time) && !known.some((tag) => isFieldOf(tag, field)),
      )
      .map((field) => {
        const meant = nearest(field, known);
        const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
        return `no tag of ${read.map(({ name }) => name).join(', ')} is named ${field}: it is NULL in each row${hint}`;
      });
  });
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
