// Removes file contents from the problems of a file that was named remotely: only paths that the schema knows and positions
// remain. The file may hold a key, which must reach neither a status page nor a twin.
import { configJsonSchema } from './json-schema.ts';
import type { PlaceOf, Problem } from './problem-text.ts';
import { formatPath, type RawProblem } from './problems.ts';

const hidden = '(…)';

export function quietProblem({ path, message }: RawProblem, placeOf: PlaceOf): Problem {
  const names = knownNames();
  const said = path.map((part) => (typeof part === 'number' || names.has(String(part)) ? part : hidden));
  const place = placeOf(path);
  return { path: formatPath(said), message, ...(place && { place }) };
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
