// Commands with placeholders, as `DUMP {from:6},{to:6}\r\n`: a name in braces, perhaps with a format after a colon. A
// brace that is none of these is written as an escape, \x7b.
import { toBytes } from './escapes.ts';

const placeholder = /\{([a-z]+)(?::([^{}]{1,60}))?\}/g;

export interface Placeholder {
  readonly name: string;
  readonly format: string | undefined;
}

export function placeholdersOf(template: string): readonly Placeholder[] {
  return [...template.matchAll(placeholder)].map(([, name, format]) => ({ name: name!, format }));
}

/** The problem of a template; undefined where it has none. It must contain at least one of the `known` names. */
export function templateProblem(template: string, known: readonly string[]): string | undefined {
  const names = placeholdersOf(template).map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  const all = known.map((name) => `{${name}}`).join(', ');
  if (unknown !== undefined) return `has {${unknown}}, which means nothing here; known: ${all}`;
  return names.length === 0 ? `has none of ${all}: every command would be the same` : undefined;
}

/**
 * The bytes of a command. What fills a placeholder is sent as it is: no escape in it is one, and a control character in
 * it would be the beginning of another command, so whoever fills must have refused it.
 */
export function fillTemplate(template: string, fill: (placeholder: Placeholder) => string): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const match of template.matchAll(placeholder)) {
    parts.push(toBytes(template.slice(at, match.index)));
    parts.push(Buffer.from(fill({ name: match[1]!, format: match[2] }), 'latin1'));
    at = match.index + match[0].length;
  }
  parts.push(toBytes(template.slice(at)));
  return Buffer.concat(parts);
}
