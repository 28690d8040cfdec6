// What the settings of every source are made of.
import { z } from 'zod';

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

export const tagName = z.string().min(1, 'must not be empty').max(128, 'must have at most 128 characters');

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
