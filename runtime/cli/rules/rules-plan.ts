// What rules read, keep and send, for `holdfast check`. Loads the engine: only where there are rules.
import { nearest } from '../../config/nearest.ts';
import {
  type Config,
  ruleSources,
  type SourceConfig,
  sourcePaces,
  streamIdOf,
  tagsOf,
} from '../../config/schema.ts';
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
  waitMsOf,
} from '../../rules/rule-settings.ts';

export interface RulePlan extends RuleExplanation {
  readonly stream: string;
  /** Most messages of its stream for one key, whatever its rows are. */
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
      ...slowInputs(rule, compiled, inputs, config),
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

/** One that goes on more slowly than it is waited for lacks in nearly every verdict, and nothing is ever done. */
function slowInputs(
  rule: RuleSettings,
  compiled: CompiledRule,
  inputs: ReadonlyMap<string, readonly string[]>,
  { sources }: Pick<Config, 'sources'>,
): readonly string[] {
  const ids = new Set(compiled.inputs.flatMap((input) => inputs.get(input) ?? []));
  const paces = sourcePaces({ sources: sources.filter((source) => ids.has(streamIdOf(source))) });
  const waitMs = waitMsOf(
    rule,
    [...paces.values()].map(({ everyMs }) => everyMs),
  );
  const isActing = targetsOf(rule).size > 0;
  // What is alone waits for nobody; of a window it says all the same when that is over.
  const isAwaited = ids.size > 1;
  return sources.flatMap((source) => {
    const { name } = source;
    if (!ids.has(streamIdOf(source))) return [];
    const pace = paces.get(streamIdOf(source));
    if (pace === undefined) {
      if (!isAwaited || rule.waitMs !== undefined) return [];
      return `how often ${name} says something is not known, and it is waited for ${durationText(waitMs)}: where more lies between, verdicts lack it; set waitMs to twice the longest time`;
    }
    const every = `${name} goes on every ${durationText(pace.everyMs)} (${pace.setting})`;
    if (isAwaited && pace.everyMs >= waitMs) {
      const effect = rule.actOnLacking
        ? 'most verdicts lack it'
        : 'most verdicts lack it, and are not acted on';
      return `${every}, and is waited for ${durationText(waitMs)} (waitMs): ${effect}; leave waitMs out, or set it to ${durationText(2 * pace.everyMs)}`;
    }
    if (isActing && (isAwaited || compiled.windows.length > 0) && pace.everyMs >= rule.validForMs)
      return `${every}, so most verdicts are known too late for their actions (validForMs ${durationText(rule.validForMs)}), and nothing is carried out; set validForMs to ${durationText(2 * pace.everyMs)}, if so old a command may still move something`;
    return [];
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
