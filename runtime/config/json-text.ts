// Finds what keeps a text from being JSON, with its place: V8 names none where the mistake is in a short text.
import { describeError } from '../../kernel/errors.ts';
import type { Problem } from './problem-text.ts';

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
