// Where every write to equipment passes, whoever wants it and whatever the adapter: only tags that the configuration
// allows, and only values within their limits. A refusal names tag, value and limit, and nothing was sent.
import { HoldfastError } from '../../kernel/errors.ts';
import type { Value } from '../../wire/reading.ts';
import type { Source } from './source.ts';
import type { TagWrite, WritableTags } from './tag-write.ts';

export type GatedWrite = (write: TagWrite, signal: AbortSignal) => Promise<void>;

/**
 * @param tags the names of all tags of the source; undefined where nobody lists them
 * @throws HoldfastError `source-unknown-tag`, `source-read-only`, `source-value-invalid`, `source-value-out-of-range` before anything is sent, or
 * what the source's `write` throws
 */
export function gateWrites(
  name: string,
  source: Pick<Source, 'write'>,
  writable: WritableTags,
  tags?: readonly string[],
): GatedWrite {
  return async (write, signal) => {
    if (tags !== undefined && !tags.includes(write.tag))
      throw new HoldfastError('source-unknown-tag', `${name} has no tag '${write.tag}'`);
    const problem = writeProblem(name, writable, write);
    if (problem) throw problem;
    if (!source.write) throw readOnly(name, write.tag);
    await source.write(write, signal);
  };
}

/** Why the value may not be written; undefined where it may, as far as the configuration says. Pure. */
export function writeProblem(
  source: string,
  writable: WritableTags,
  { tag, value }: Pick<TagWrite, 'tag' | 'value'>,
): HoldfastError | undefined {
  const limits = writable.get(tag);
  if (!limits) return readOnly(source, tag);
  const { min, max } = limits;
  if (min === undefined && max === undefined) return undefined;
  const given = JSON.stringify(value)?.slice(0, 100);
  const number = numberOf(value);
  if (number === undefined) {
    const message = `tag '${tag}' of ${source} has limits, and ${given} is no number to hold against them`;
    return new HoldfastError('source-value-invalid', message);
  }
  const isBelow = min !== undefined && isLess(number, min);
  const isAbove = max !== undefined && isLess(max, number);
  if (!isBelow && !isAbove) return undefined;
  const limit = isBelow ? `below its min ${min}` : `above its max ${max}`;
  return new HoldfastError('source-value-out-of-range', `tag '${tag}' of ${source}: ${given} is ${limit}`);
}

/** Integers beyond 2^53 come as text, and are compared as what they are. */
function numberOf(value: Value): number | bigint | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

/** JavaScript compares numbers and big integers exactly, by their mathematical values. */
function isLess(a: number | bigint, b: number | bigint): boolean {
  return a < b;
}

function readOnly(source: string, tag: string): HoldfastError {
  const message = `tag '${tag}' of ${source} may not be written: the configuration has to allow it on the tag`;
  return new HoldfastError('source-read-only', message);
}
