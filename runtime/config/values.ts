// Converts values that people may write to those of the schema: `1s` to 1000 in settings of milliseconds, and `${NAME}` to
// a variable of the gateway's environment.
import { durationMs } from '../../kernel/duration-text.ts';
import { type RawProblem, secretKey } from './problems.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type Path = readonly PropertyKey[];

/** Durations in all settings whose names end with `Ms`. What is none stays, for the schema to refuse. */
export function withDurations(value: unknown): unknown {
  return mapped(value, [], (text, path) =>
    /Ms$/.test(String(path.at(-1))) ? (durationMs(text) ?? text) : text,
  );
}

/** Names are in capitals: `${from}` is what some instruments want to be sent. */
const variableForm = /\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}/g;

/** A value that is nothing but a variable whose brace is not closed. */
const openVariable = /^\$\{[A-Z_][A-Z0-9_]*(?::-[^}]*)?$/;

/**
 * `${NAME}` and `${NAME:-default}` replaced by the variables of `environment`; without one, each is a problem. Where nothing
 * else stands in the value, one that reads as a number, true or false becomes that.
 */
export function withVariables(
  value: unknown,
  environment: Environment | undefined,
): { readonly value: unknown; readonly problems: readonly RawProblem[] } {
  const problems: RawProblem[] = [];
  const replaced = mapped(value, [], (text, path) => {
    if (openVariable.test(text))
      problems.push({
        path,
        message: `the } behind the name of the variable is missing: write ${text.split(':-')[0]}}`,
      });
    const isAlone = /^\$\{[^}]*\}$/.test(text);
    let isReplaced = false;
    const filled = text.replace(variableForm, (all, name: string, otherwise: string | undefined) => {
      const problem = problemWith(name, environment);
      if (problem === undefined) {
        // As a shell has it: an empty variable counts as none where there is a default.
        const found = environment![name];
        const given = otherwise === undefined ? found : found || otherwise;
        isReplaced ||= given !== undefined;
        if (given !== undefined) return given;
      }
      const message =
        problem ?? `the variable ${name} is not set: set it, or give a default, as \${${name}:-value}`;
      problems.push({ path, message });
      return all;
    });
    return isAlone && isReplaced ? asScalar(filled, path) : filled;
  });
  return { value: replaced, problems };
}

function problemWith(name: string, environment: Environment | undefined): string | undefined {
  if (environment === undefined) return `\${${name}}: only the gateway's own file may name variables`;
  if (secretKey.test(name))
    return `\${${name}}: a secret does not belong into a configuration, where it would be shown and kept`;
  return undefined;
}

/** Names stay text, whatever they look like. */
function asScalar(text: string, path: Path): unknown {
  if (/^(name|batchId|host|path|node)$/.test(String(path.at(-1)))) return text;
  if (/^(true|false)$/.test(text)) return text === 'true';
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function mapped(value: unknown, path: Path, change: (text: string, path: Path) => unknown): unknown {
  if (typeof value === 'string') return change(value, path);
  if (Array.isArray(value)) return value.map((each, at) => mapped(each, [...path, at], change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, mapped(inner, [...path, name], change)]),
  );
}
