// Prints problems of a configuration for people: in the order of the file, a repeated mistake once.

/** In a file; both from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

/** Where a path of the value begins in the text; undefined where it is not in it. */
export type PlaceOf = (path: readonly PropertyKey[]) => TextPosition | undefined;

/** One thing that is wrong with a configuration. */
export interface Problem {
  /** Where, as in `sources[0].tags[3].address`; empty for the whole document. */
  readonly path: string;
  /** What is wrong and what would be right. */
  readonly message: string;
  /** In the file that it was read from. */
  readonly place?: TextPosition;
  /** The source, and the tag, by their names. */
  readonly of?: string;
}

/** As many problems of one kind count as one repeated mistake. */
const leastRepeats = 3;
const namedRepeats = 3;

/** In the order of the file; the same mistake at the same setting of several tags or sources as one problem. */
export function arranged(problems: readonly Problem[]): readonly Problem[] {
  const groups = new Map<string, Problem[]>();
  for (const problem of problems) {
    const kind = `${problem.path.replace(/\[\d+\]/g, '[]')}\n${problem.message}`;
    groups.set(kind, [...(groups.get(kind) ?? []), problem]);
  }
  const all = [...groups.values()].flatMap((group) =>
    group.length < leastRepeats ? group : [together(group)],
  );
  return all.toSorted((a, b) => lineOf(a) - lineOf(b) || columnOf(a) - columnOf(b));
}

function together(group: readonly Problem[]): Problem {
  const [first, ...rest] = group as [Problem, ...Problem[]];
  const named = rest.slice(0, namedRepeats).map(({ path, place }) => (place ? `line ${place.line}` : path));
  const more = rest.length - named.length;
  const also = `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return { ...first, message: `${first.message} (${group.length} times: also ${also})` };
}

const lineOf = ({ place }: Problem) => place?.line ?? 0;
const columnOf = ({ place }: Problem) => place?.column ?? 0;

export function placeText({ line, column }: TextPosition): string {
  return `line ${line}, column ${column}`;
}

/** The problems as a person reads them, one a line: `line 4, column 7: press, tag level: sources[0].tags[3].address: ...` */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map((problem) => `  - ${problemText(problem)}`).join('\n');
}

export function problemText({ path, message, place, of }: Problem): string {
  return [place && placeText(place), of, path, message].filter((each) => each).join(': ');
}
