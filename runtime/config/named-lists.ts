// `sources` and `rules` may be maps by name as well as lists: layers of a deployment, and patches of a twin, merge maps by key,
// and a list only as a whole. Everything behind this sees lists.
import type { PlaceOf, Problem } from './problem-text.ts';
import type { RawProblem } from './problems.ts';

const sections = ['sources', 'rules'] as const;
type Section = (typeof sections)[number];
type Fields = Readonly<Record<string, unknown>>;

export interface WithLists {
  readonly value: unknown;
  readonly problems: readonly RawProblem[];
  /** For problems and places of `value`: as the map has them. */
  readonly asWritten: (problem: Problem) => Problem;
  readonly placeOf: PlaceOf | undefined;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Lists of the maps, by the order in which they name their parts. */
export function withLists(value: unknown, placeOf?: PlaceOf): WithLists {
  const names = new Map<Section, readonly string[]>();
  const problems: RawProblem[] = [];
  let listed = value;
  for (const section of sections) {
    const map = isFields(value) ? value[section] : undefined;
    // One source or rule in place of a list of them is a mistake, which the schema tells.
    if (!isFields(map) || ['name', 'type', 'when', 'query'].some((name) => typeof map[name] === 'string'))
      continue;
    names.set(section, Object.keys(map));
    const list = Object.entries(map).map(([name, part], index) => {
      if (!isFields(part)) return part;
      const own = part.name;
      if (own !== undefined && own !== name)
        problems.push({
          path: [section, index, 'name'],
          message: 'its name is that of its key: remove it here, or make it the same',
        });
      return { name, ...part };
    });
    listed = { ...(listed as Fields), [section]: list };
  }
  if (names.size === 0) return { value, problems, asWritten: (problem) => problem, placeOf };
  const nameAt = (section: PropertyKey | undefined, index: PropertyKey | undefined) =>
    names.get(section as Section)?.[Number(index)];
  return {
    value: listed,
    problems,
    asWritten: (problem) => {
      const [all, section, index, rest] = /^(\w+)\[(\d+)\](.*)$/s.exec(problem.path) ?? [];
      const name = all === undefined ? undefined : nameAt(section, index);
      return name === undefined ? problem : { ...problem, path: `${section}.${name}${rest}` };
    },
    placeOf:
      placeOf &&
      ((path) => {
        const name = nameAt(path[0], path[1]);
        return placeOf(name === undefined ? path : [path[0]!, name, ...path.slice(2)]);
      }),
  };
}
