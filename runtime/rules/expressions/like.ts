// LIKE: `%` any text, `_` any character, `[a-f]` and `[^a-f]` one of a set. Without a regular expression, whose time can grow
// without measure with a pattern such as `%a%a%a%`: here it is at most the product of both lengths.

type Part =
  | { readonly kind: 'any-text' }
  | { readonly kind: 'any' }
  | { readonly kind: 'one'; readonly character: string }
  | {
      readonly kind: 'set';
      readonly ranges: readonly (readonly [string, string])[];
      readonly isNot: boolean;
    };

/** Case matters, as in Stream Analytics. */
export function likeMatcher(pattern: string, escapedBy?: string): (text: string) => boolean {
  const parts = partsOf([...pattern], escapedBy);
  return (text) => matches(parts, [...text]);
}

function partsOf(pattern: readonly string[], escapedBy: string | undefined): readonly Part[] {
  const parts: Part[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]!;
    if (character === escapedBy && i + 1 < pattern.length)
      parts.push({ kind: 'one', character: pattern[++i]! });
    else if (character === '%') {
      if (parts.at(-1)?.kind !== 'any-text') parts.push({ kind: 'any-text' });
    } else if (character === '_') parts.push({ kind: 'any' });
    else if (character === '[' && pattern.indexOf(']', i + 2) > 0) {
      const end = pattern.indexOf(']', i + 2);
      parts.push(setOf(pattern.slice(i + 1, end)));
      i = end;
    } else parts.push({ kind: 'one', character });
  }
  return parts;
}

function setOf(inside: readonly string[]): Part {
  const isNot = inside[0] === '^' && inside.length > 1;
  const characters = isNot ? inside.slice(1) : inside;
  const ranges: [string, string][] = [];
  for (let i = 0; i < characters.length; i++) {
    const isRange = characters[i + 1] === '-' && i + 2 < characters.length;
    ranges.push([characters[i]!, characters[isRange ? i + 2 : i]!]);
    if (isRange) i += 2;
  }
  return { kind: 'set', ranges, isNot };
}

function fits(part: Part, character: string): boolean {
  if (part.kind === 'one') return part.character === character;
  if (part.kind === 'set')
    return part.ranges.some(([from, to]) => character >= from && character <= to) !== part.isNot;
  return true;
}

/** Greedy: where a part does not fit, the last `%` takes one character more. */
function matches(parts: readonly Part[], text: readonly string[]): boolean {
  let at = 0;
  let part = 0;
  let lastAny = -1;
  let resumeAt = 0;
  while (at < text.length) {
    const current = parts[part];
    if (current?.kind === 'any-text') {
      lastAny = part++;
      resumeAt = at;
    } else if (current !== undefined && fits(current, text[at]!)) {
      part++;
      at++;
    } else if (lastAny >= 0) {
      part = lastAny + 1;
      at = ++resumeAt;
    } else return false;
  }
  while (parts[part]?.kind === 'any-text') part++;
  return part === parts.length;
}
