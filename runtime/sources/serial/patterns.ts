// Regular expressions of a configuration: the only file that knows their engine.
//
// A pattern that someone wrote in a hurry must not hang the process, whatever a line brings, and backtracking engines,
// JavaScript's own among them, take time that grows exponentially with some messages. RE2's algorithm takes
// time in proportion to the message. re2 on npm wraps the original and is faster, but its binaries come from
// GitHub at install time, which a gateway's build behind a registry mirror cannot reach; re2js is the same algorithm in
// plain JavaScript, and a message of a serial line has some hundred characters at most. What RE2 cannot do
// (looking ahead or behind, back references) is refused with the configuration.
import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { describeError } from '../../../kernel/errors.ts';

/** The named groups of a message; undefined where the pattern does not match. A group that took no part is left out. */
export type Matcher = (text: string) => Readonly<Record<string, string>> | undefined;

/** Characters of a pattern. */
export const maxPatternLength = 2000;

/**
 * Loaded with the first pattern, 40 ms and 4 MB that a site without one does not pay. Configurations are checked without
 * waiting for anything, so this cannot be an `import()`.
 */
function engine(): typeof RE2JS {
  return (createRequire(import.meta.url)('re2js') as { RE2JS: typeof RE2JS }).RE2JS;
}

export type CompiledPattern =
  | {
      readonly ok: true;
      readonly groups: readonly string[];
      readonly match: Matcher;
      /** What stands behind the match; undefined where there is none. */
      readonly rest: (text: string) => string | undefined;
    }
  /** `problem` says what would be right. */
  | { readonly ok: false; readonly problem: string };

/** Matches anywhere in the message unless the pattern says `^` and `$`. */
export function compilePattern(pattern: string): CompiledPattern {
  if (pattern.length > maxPatternLength)
    return { ok: false, problem: `must have at most ${maxPatternLength} characters` };
  try {
    const compiled = engine().compile(pattern);
    const groups = Object.keys(compiled.namedGroups());
    return {
      ok: true,
      groups,
      match: (text) => match(compiled, groups, text),
      rest: (text) => {
        const matcher = compiled.matcher(text);
        return matcher.find() ? text.slice(matcher.end()) : undefined;
      },
    };
  } catch (error) {
    return { ok: false, problem: `is no regular expression that can be used: ${adviceFor(error)}` };
  }
}

function match(
  pattern: RE2JS,
  groups: readonly string[],
  text: string,
): Readonly<Record<string, string>> | undefined {
  const matcher = pattern.matcher(text);
  if (!matcher.find()) return undefined;
  const found: Record<string, string> = {};
  for (const group of groups) {
    const value = matcher.group(group);
    if (value !== null) found[group] = value;
  }
  return found;
}

function adviceFor(error: unknown): string {
  const text = describeError(error);
  if (/`\(\?[=!<]/.test(text))
    return `${text} (looking ahead or behind is not possible: match what is there)`;
  if (/invalid escape sequence: `\\\d/.test(text)) return `${text} (back references are not possible)`;
  return text;
}
