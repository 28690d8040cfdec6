// The schema of a source whose readings are sent by other modules, as a site writes it into its configuration.
import { z } from 'zod';
import { checkNames, scale, streamName, tagName } from '../settings.ts';
import { parsePath } from './json-path.ts';

const path = z
  .string()
  .max(256, 'must have at most 256 characters')
  .superRefine((text, context) => {
    const parsed = parsePath(text);
    if (!parsed.ok) context.addIssue({ code: 'custom', message: `${parsed.problem}: as in values[0].v` });
  });

/** In the message's body, or among its properties. */
const place = {
  path: path.optional(),
  property: z.string().min(1, 'must name a property of the message').max(128).optional(),
};

const onePlace = (given: { path?: string | undefined; property?: string | undefined }) =>
  (given.path === undefined) !== (given.property === undefined);
const onePlaceHint = 'must have either path (in the body) or property (of the message)';

const time = z
  .strictObject({
    ...place,
    /** What a number counts since 1970-01-01 UTC. Text is ISO 8601; without a zone it is UTC. */
    unit: z.enum(['s', 'ms', 'us', 'ns'], 'must be s, ms, us or ns').default('ms'),
  })
  .refine(onePlace, onePlaceHint);

const sequence = z.strictObject(place).refine(onePlace, onePlaceHint);

const tag = z.strictObject({
  name: tagName,
  /** From the item where `items` is given, else from the message. */
  path,
  /** Where the message says how good the value is. */
  quality: path.optional(),
  /** value = number * scale + offset. */
  scale: scale.optional(),
  offset: z.number('must be a number').optional(),
});

const shape = z.strictObject({
  type: z.literal('module-input'),
  ...streamName,
  /** The input of this module that a route of the deployment leads to. */
  input: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 _ -, as the route names it'),
  /** `readings/1`: the body is an array of `{t, tag, v, q}`, so nothing else has to be said about it. */
  format: z.enum(['json', 'readings/1'], 'must be json or readings/1').default('json'),
  /** An array in the message: each of its items has readings of its own. */
  items: path.optional(),
  /** When the values were taken: looked for in the item, then in the message. Default: when the message came. */
  time: time.optional(),
  /** Counts the messages of the sender: a jump is a break in observation. */
  sequence: sequence.optional(),
  /** Where items name their tag themselves. */
  named: z.strictObject({ tag: path, value: path, quality: path.optional() }).optional(),
  tags: z
    .array(tag)
    .min(1, 'must have at least one tag')
    .max(10_000, 'must be at most 10000 tags')
    .optional(),
  /**
   * Longest time between messages of a healthy sender, by their own time and by arrival. More is a break in
   * observation, and then the sender counts as silent.
   */
  silenceMs: z.int().min(100).max(86_400_000, 'must be at most a day').default(60_000),
  /** How far out of order readings may come. */
  latenessMs: z.int().min(0).max(3_600_000, 'must be at most an hour').default(1000),
  /** Messages that cannot be read become readings of this tag: their text, and why. */
  refusedTag: tagName.default('(refused)'),
});

export const moduleInputSourceSchema = shape.superRefine((source, context) => {
  const problem = (at: string, message: string) => context.addIssue({ code: 'custom', path: [at], message });
  const { format, tags, named } = source;
  if (format === 'readings/1') {
    for (const setting of ['items', 'time', 'named', 'tags'] as const) {
      if (source[setting] !== undefined) problem(setting, 'is fixed by format readings/1: remove it');
    }
  } else if (tags === undefined && named === undefined) {
    problem('tags', 'is missing: say which fields to take, or how items name their tags (named)');
  } else if (tags !== undefined && named !== undefined) {
    problem('named', 'is for items that name their tags themselves: give either tags or named');
  }
  checkNames(tags ?? [], ['tags'], context);
});

export type ModuleInputConfig = z.infer<typeof moduleInputSourceSchema>;
