// The settings under `rules`.
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { durationForm } from '../../kernel/duration-text.ts';
import type { RuleConfig } from './engine-api.ts';

const dayMs = 86_400_000;
const name = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ - (its stream is rule:NAME)');
const identifier = z.string().min(1, 'must not be empty').max(128);
const sourceName = z.string().min(1).max(128);

const input = z.strictObject({
  /** One source, several, or `*` for all. */
  source: z.union(
    [sourceName, z.array(sourceName).min(1).max(1000)],
    'must be the name of a source, a list of names, or "*"',
  ),
  /** What the query calls the index of a row. */
  time: identifier.default('time'),
  /** Types of fields whose numbers are always floats, or always whole numbers. */
  types: z.record(identifier, z.enum(['float', 'bigint'], 'must be float or bigint')).optional(),
});

const value = z.union(
  [z.number(), z.boolean(), z.string().max(1000), z.strictObject({ field: identifier })],
  'must be a number, true or false, text, or {field: NAME} of the row',
);

const action = z.union(
  [
    z.literal('upstream'),
    z.strictObject({
      /** The module output; a route leads on from it. */
      send: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 _ -'),
    }),
    z.strictObject({ write: z.strictObject({ source: sourceName, tag: identifier, value }) }),
  ],
  'must be upstream, {send: OUTPUT} or {write: {source, tag, value}}',
);

const actions = z.array(action).min(1, 'must name at least one action, as [upstream]').max(16);

const text = z
  .string()
  .min(1)
  .max(64 * 1024);
const durationWords = 'must be a duration such as 500ms, 5s, 2min or 1h';
const duration = z.string(durationWords).regex(durationForm, durationWords);

const missingOutputs =
  'is missing: say what becomes of its rows, as [upstream], or by the names after INTO, as {output: [upstream]}';

const wrongOutputs =
  'must be a list of actions, as [upstream], or such lists by the names after INTO, as {output: [upstream]}';

export const ruleSchema = z
  .strictObject({
    name,
    /** By their names in the query. Default: each source under its own name. */
    inputs: z.record(identifier, input).optional(),
    /** In the Stream Analytics query language. */
    query: text.optional(),
    /** The short form: a condition, and when it is over. */
    when: text.optional(),
    until: text.optional(),
    for: duration.optional(),
    /** By their names after INTO; an empty list: its rows go nowhere. A list where there is one output. */
    outputs: z.union([z.record(identifier, z.array(action).max(16)), actions], {
      error: ({ input }) => (input === undefined ? missingOutputs : wrongOutputs),
    }),
    /** Actions are carried out so long after the time of their row, and so long after they were decided, or never. */
    validForMs: z
      .int()
      .min(100, 'must be at least 100 ms')
      .max(dayMs, 'must be at most a day')
      .default(30_000),
    /** Tries a minute for one target. */
    perMinute: z.int().min(1).max(6000).default(60),
    /** Decides, and carries nothing out. */
    dryRun: z.boolean().default(false),
    /** Decides on readings that are not on the disk yet, and acts at once. */
    beforeDurable: z.boolean().default(false),
    /** Also acts on rows that rest on inputs of which something was not known. */
    actOnLacking: z.boolean().default(false),
    /** A source that says nothing holds up the others for so long at most. Default: `waitMsOf`. */
    waitMs: z.int().min(0).max(dayMs).optional(),
    /** For inputs with TIMESTAMP BY a field that is not their index: how far events may come out of order. */
    tolerance: z
      .strictObject({
        outOfOrderMs: z.int().min(0).max(dayMs).default(0),
        lateMs: z.int().min(0).max(dayMs).default(5000),
        /** What lies farther ahead of its index is left out; after a hole rows are marked for so long. */
        aheadMs: z.int().min(0).max(300_000, 'must be at most 5 minutes').default(300_000),
        policy: z.enum(['adjust', 'drop'], 'must be adjust or drop').default('adjust'),
      })
      .optional(),
    limits: z
      .strictObject({
        maxKeys: z.int().min(1).max(1_000_000),
        maxRows: z.int().min(1).max(10_000_000),
        maxBytes: z
          .int()
          .min(64 * 1024)
          .max(1024 ** 3),
      })
      .partial()
      .optional(),
  })
  .superRefine((rule, context) => {
    const say = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const { query, when } = rule;
    if (query === undefined && when === undefined)
      say('query', 'is missing: give a query, or the short form with when');
    if (query !== undefined && when !== undefined)
      say('when', 'is the short form of a query: give one of both');
    for (const key of ['until', 'for'] as const)
      if (when === undefined && rule[key] !== undefined)
        say(key, 'belongs to the short form with when; remove it');
  });

/** The rule of which some actions are wrong, without them, so that the rest of it is looked at; undefined where more is. */
export function soundRule(given: unknown): RuleSettings | undefined {
  const whole = ruleSchema.safeParse(given);
  if (whole.success) return whole.data;
  if (typeof given !== 'object' || given === null) return undefined;
  const { outputs } = given as { readonly outputs?: unknown };
  return ruleSchema.safeParse({ ...given, outputs: soundOutputs(outputs) }).data;
}

function soundOutputs(outputs: unknown): unknown {
  const soundOf = (list: unknown) =>
    (Array.isArray(list) ? list : []).filter((each) => action.safeParse(each).success);
  if (typeof outputs !== 'object' || outputs === null || Array.isArray(outputs)) {
    const sound = soundOf(outputs);
    return sound.length > 0 ? sound : ['upstream'];
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, list]) => [name, soundOf(list)]));
}

export type RuleSettings = z.output<typeof ruleSchema>;
export type ActionSettings = z.output<typeof action>;

/** What a rule decides and does. Where only its limits and times change, what it wants done is still wanted. */
export function decisionOf(settings: RuleSettings): string {
  const { query, when, until, for: hold, inputs, outputs, dryRun } = settings;
  const text = JSON.stringify([query, when, until, hold, inputs, outputs, dryRun]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

const streamPrefix = 'rule:';

export function isRuleStream(batchId: string): boolean {
  return batchId.startsWith(streamPrefix);
}

/** The id of a rule's stream. */
export function ruleStreamId({ name: of }: { readonly name: string }): string {
  return streamPrefix + of;
}

/** By output; of a list, for all of `outputs`. */
export function actionsOf(
  { outputs }: Pick<RuleSettings, 'outputs'>,
  known: readonly string[],
): ReadonlyMap<string, readonly ActionSettings[]> {
  return Array.isArray(outputs)
    ? new Map(known.map((output) => [output, outputs]))
    : new Map(Object.entries(outputs));
}

/** Streams by input. `sources`: ids of streams by the names of their sources. */
export function inputStreams(
  { inputs }: Pick<RuleSettings, 'inputs'>,
  sources: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly string[]> {
  if (inputs === undefined) return new Map([...sources].map(([of, id]) => [of, [id]]));
  return new Map(
    Object.entries(inputs).map(([of, { source }]) => {
      const names = source === '*' ? [...sources.keys()] : [source].flat();
      return [of, names.flatMap((each) => sources.get(each) ?? [])];
    }),
  );
}

export const leastWaitMs = 5000;

/** `everyMs`: how often each of its sources goes on, where that is known. One that is well must not count as one that stands still. */
export function waitMsOf({ waitMs }: Pick<RuleSettings, 'waitMs'>, everyMs: readonly number[]): number {
  return waitMs ?? Math.min(dayMs, Math.max(leastWaitMs, ...everyMs.map((ms) => 2 * ms)));
}

/** What may change while a rule goes on with all that it holds. */
const tunable = ['validForMs', 'perMinute', 'waitMs', 'limits'] as const;

export function isTuned(before: RuleSettings, after: RuleSettings): boolean {
  const rest = (settings: RuleSettings) => ({
    ...settings,
    ...Object.fromEntries(tunable.map((key) => [key, undefined])),
  });
  return isDeepStrictEqual(rest(before), rest(after));
}

/** As the engine takes it. */
export function ruleConfigOf(
  settings: RuleSettings,
  inputs: ReadonlyMap<string, readonly string[]>,
): RuleConfig {
  const { name, query, when, until, for: hold, tolerance, limits } = settings;
  const known = [...inputs.keys()].map((input) => {
    const { time = 'time', types } = settings.inputs?.[input] ?? {};
    return [input, { indexField: time, ...(types && { types }) }];
  });
  return {
    name,
    inputs: Object.fromEntries(known),
    ...(query === undefined ? {} : { query }),
    ...(when === undefined ? {} : { when }),
    ...(until === undefined ? {} : { until }),
    ...(hold === undefined ? {} : { for: hold }),
    ...(tolerance === undefined ? {} : { eventOrder: tolerance }),
    ...(limits === undefined ? {} : { limits: withoutUndefined(limits) }),
  };
}

function withoutUndefined<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
