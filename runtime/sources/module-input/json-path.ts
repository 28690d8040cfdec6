// Finds a value in a JSON document by its path: `machine.temperature`, `values[0].v`, `['a key with.dots']`, `$` for all of
// it. Pure. A path is looked up, never evaluated: no wildcards, no filters, nothing inherited.

export type JsonPath = readonly (string | number)[];

export type ParsedPath =
  | { readonly ok: true; readonly path: JsonPath }
  | { readonly ok: false; readonly problem: string };

const maxSteps = 32;

/** `text` as a person writes it; a leading `$.` may be left out. */
export function parsePath(text: string): ParsedPath {
  const path: (string | number)[] = [];
  let at = text.startsWith('$') ? 1 : 0;
  while (at < text.length) {
    const isFirst = at === 0;
    const step = text[at] === '[' ? bracketStep(text, at) : nameStep(text, at, isFirst);
    if (typeof step === 'string') return { ok: false, problem: step };
    path.push(step.key);
    at = step.end;
  }
  if (path.length > maxSteps) return { ok: false, problem: `must have at most ${maxSteps} steps` };
  if (text === '') return { ok: false, problem: 'must not be empty; $ is the whole message' };
  return { ok: true, path };
}

interface Step {
  readonly key: string | number;
  readonly end: number;
}

function nameStep(text: string, at: number, isFirst: boolean): Step | string {
  const start = isFirst ? at : at + 1;
  if (!isFirst && text[at] !== '.') return `must have a dot or a bracket at character ${at + 1}`;
  const name = /^[^.[\]]+/.exec(text.slice(start))?.[0];
  if (name === undefined)
    return `must have a name at character ${start + 1}; names with dots go into ['...']`;
  return { key: name, end: start + name.length };
}

function bracketStep(text: string, at: number): Step | string {
  const found = /^\[(?:(\d{1,9})|'([^']*)'|"([^"]*)")\]/.exec(text.slice(at));
  if (!found) return `must have [number] or ['name'] at character ${at + 1}`;
  const [whole, position, single, double] = found;
  return {
    key: position === undefined ? (single ?? double ?? '') : Number(position),
    end: at + whole.length,
  };
}

/** What lies at `path` in a parsed document; undefined where nothing does. */
export function readPath(document: unknown, path: JsonPath): unknown {
  let value = document;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}
