// Problems of a file that somebody far away named, said without a word of the file: paths as far as the schema knows
// them, and places. What is in the file, a key perhaps, is nothing for a status page or a twin.
import { configJsonSchema } from './json-schema.ts';
import { formatPath, type Problem, type RawProblem } from './problems.ts';
import type { PlaceOf } from './yaml-text.ts';

const hidden = '(…)';

export function quietProblem({ path, message, unknownKey }: RawProblem, placeOf: PlaceOf): Problem {
  const names = knownNames();
  const said = path.map((part) => (typeof part === 'number' || names.has(String(part)) ? part : hidden));
  const place = placeOf(path);
  const near = unknownKey === undefined ? undefined : nearest(unknownKey, names);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return { path: formatPath(said), message: `${place === undefined ? '' : `${place}: `}${message}${hint}` };
}

let names: ReadonlySet<string> | undefined;

/** Every setting that the schema has, wherever it stands. */
function knownNames(): ReadonlySet<string> {
  if (names !== undefined) return names;
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { properties } = value as { properties?: unknown };
    if (typeof properties === 'object' && properties !== null) {
      for (const name of Object.keys(properties)) found.add(name);
    }
    for (const inner of Object.values(value)) visit(inner);
  };
  visit(configJsonSchema());
  names = found;
  return found;
}

/** A slip of the finger away; undefined where nothing is. */
function nearest(key: string, known: ReadonlySet<string>): string | undefined {
  if (key.length > 40) return undefined;
  const most = key.length < 5 ? 1 : 2;
  let best: { readonly name: string; readonly apart: number } | undefined;
  for (const name of known) {
    const apart = distance(key.toLowerCase(), name.toLowerCase());
    if (apart <= most && apart < (best?.apart ?? Number.POSITIVE_INFINITY)) best = { name, apart };
  }
  return best?.name;
}

/** Letters to change, add or leave out. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const change = row[j]! + (letter === other ? 0 : 1);
      next.push(Math.min(change, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}
