// JSON: reads it where YAML, of which it is a part, would say the same; and finds what keeps a text from being JSON, with its
// place, since V8 names none where the mistake is in a short text.
import { describeError } from '../../kernel/errors.ts';
import type { Problem } from './problem-text.ts';

/** Names and texts; of a name with the colon behind it. */
const strings = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/**
 * The value of a text that is JSON, in a fiftieth of the time that YAML's parser takes. Undefined for other texts, and for those
 * that YAML refuses or takes otherwise: a name twice in one object, or the name `<<`, which merges.
 */
export function readJson(text: string): { readonly value: unknown } | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  let names = 0;
  for (const [, colon] of text.matchAll(strings)) if (colon !== undefined) names += 1;
  return names === countNames(value) ? { value } : undefined;
}

/** Of all objects in it, where a name that stood twice is there once; NaN where one is `<<`. */
function countNames(value: unknown): number {
  let names = 0;
  const pending = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null) continue;
    if (Object.hasOwn(next, '<<')) return Number.NaN;
    if (!Array.isArray(next)) names += Object.keys(next).length;
    for (const each of Object.values(next)) pending.push(each);
  }
  return names;
}

/** Strings, which hold anything; and what YAML takes and JSON does not. */
const tokens = /"(?:[^"\\]|\\[\s\S])*"|,(?=\s*[}\]])|#[^\n]*|\/\/[^\n]*/g;

/** Undefined where it is JSON. */
export function jsonProblem(text: string): Problem | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const said = describeError(error);
    const own = [...text.matchAll(tokens)].find(([token]) => !token.startsWith('"'));
    const at = own?.index ?? Number(/at position (\d+)/.exec(said)?.[1] ?? Number.NaN);
    const message =
      own === undefined
        ? `not valid JSON, which the Azure CLI wants: ${said}`
        : own[0] === ','
          ? 'not valid JSON, which the Azure CLI wants: remove the comma behind the last item'
          : 'not valid JSON, which the Azure CLI wants: it has no comments';
    return { path: '', message, ...(Number.isNaN(at) ? {} : { place: placeAt(text, at) }) };
  }
}

function placeAt(text: string, at: number) {
  const before = text.slice(0, at).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}
