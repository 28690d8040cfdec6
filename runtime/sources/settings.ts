// What the settings of every source are made of.
import { isIP } from 'node:net';
import { z } from 'zod';
import type { WritableTags } from './tag-write.ts';

const streamId = z
  .string()
  .regex(
    /^[A-Za-z0-9._:-]{1,128}$/,
    'must be 1 to 128 of A-Z a-z 0-9 . _ : - (it becomes part of message ids)',
  );

export const streamName = {
  /** Names the source in logs and status; also the stream's id unless `batchId` is given. */
  name: streamId,
  batchId: streamId.optional(),
};

/** A host alone; what people paste in its place is told apart. */
export const host = z
  .string('must be a host name or an IP address')
  .min(1, 'must be a host name or an IP address')
  .max(253, 'must have at most 253 characters')
  .superRefine((text, context) => {
    const message = hostProblem(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

function hostProblem(text: string): string | undefined {
  if (isIP(text) !== 0) return undefined;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    return 'must be a host name or an IP address alone: no ://, no path; the port goes into port';
  if (/^[^\s/]+:\d+$/.test(text))
    return 'must be a host alone: its port goes into port, a setting of its own';
  if (/^\$\{/.test(text))
    return 'must be a host name or an IP address; the name of a variable is written in capitals';
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?$/.test(text))
    return 'must be a host name or an IP address: letters, digits, dots, hyphens';
  return undefined;
}

/** A decimal comma makes a 0 of `0,1` where commas part the cells of a table. */
export const scale = z
  .number('must be a number')
  .refine(
    (value) => value !== 0,
    'must not be 0: every value would be the same. In a table with commas between the cells write 0.1, not 0,1',
  );

export const tagName = z.string().min(1, 'must not be empty').max(128, 'must have at most 128 characters');

/** What may be written to a tag, as numbers in the tag's own unit; both ends belong to it. */
export const writeLimits = {
  min: z.number('must be a number').optional(),
  max: z.number('must be a number').optional(),
};

interface LimitedTag {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly names?: Readonly<Record<string, string>> | undefined;
}

/** Limits stand only on what may be written, and leave room for a value. */
export function checkLimits(
  tag: LimitedTag,
  isWritable: boolean,
  path: readonly (string | number)[],
  context: z.RefinementCtx,
): void {
  const say = (key: 'min' | 'max', message: string) =>
    context.addIssue({ code: 'custom', path: [...path, key], message });
  for (const key of ['min', 'max'] as const) {
    if (tag[key] === undefined) continue;
    if (!isWritable) say(key, 'is a limit for writing: make the tag writable, or remove it');
    else if (tag.names) say(key, 'is for numbers: the values of this tag have names; remove one of both');
  }
  const { min, max } = tag;
  if (min !== undefined && max !== undefined && min > max)
    say('max', `must be at least min (${min}): no value could be written`);
}

/** Those that may be written, with their limits. */
export function limitsOf<Tag extends LimitedTag & { readonly name: string }>(
  tags: readonly Tag[],
  isWritable: (tag: Tag) => boolean,
): WritableTags {
  return new Map(tags.filter(isWritable).map(({ name, min, max }) => [name, { min, max }]));
}

/** Each tag of a source has a name of its own. */
export function checkNames(
  tags: readonly { readonly name: string }[],
  path: readonly (string | number)[],
  context: z.RefinementCtx,
): void {
  const seen = new Map<string, number>();
  for (const [at, { name }] of tags.entries()) {
    const first = seen.get(name);
    if (first === undefined) seen.set(name, at);
    else {
      const message = `the name '${name}' is taken by tags[${first}]: each tag needs its own`;
      context.addIssue({ code: 'custom', path: [...path, at, 'name'], message });
    }
  }
}
