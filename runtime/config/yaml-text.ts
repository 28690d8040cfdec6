// YAML, of which JSON is a part: the only file that knows the library.
import { isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { describeError } from '../../kernel/errors.ts';
import type { Problem } from './problems.ts';

/** Where a path of the value begins in the text, for people; undefined where it is not in it. */
export type PlaceOf = (path: readonly PropertyKey[]) => string | undefined;

export type ReadYaml =
  | { readonly value: unknown; readonly placeOf: PlaceOf }
  | { readonly problems: readonly Problem[]; readonly cause?: unknown };

/** `isQuiet`: problems name places, and not a word of the text. */
export function readYaml(text: string, isQuiet: boolean): ReadYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const place = (at: number) => {
    const { line, col } = lines.linePos(at);
    return `line ${line}, column ${col}`;
  };
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const message = `${place(error.pos[0])}: not valid YAML`;
      return { path: '', message: isQuiet ? message : `${message}: ${error.message}` };
    });
    return { problems };
  }
  try {
    // Aliases can multiply a small file into gigabytes; a configuration has no need of more than a few.
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return { value, placeOf: (path) => placeIn(document.contents, path, place) };
  } catch (cause) {
    return { problems: [{ path: '', message: isQuiet ? 'not valid YAML' : describeError(cause) }], cause };
  }
}

/** A setting of the topmost level; undefined where there is none, or no YAML. */
export function settingIn(text: string, name: string): unknown {
  return parseDocument(text, { prettyErrors: false }).get(name);
}

function placeIn(
  contents: unknown,
  path: readonly PropertyKey[],
  place: (at: number) => string,
): string | undefined {
  let node = contents;
  let at: number | undefined;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => keyText(key) === String(part));
      at = startOf(pair?.key) ?? at;
      node = pair?.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      at = startOf(node) ?? at;
    } else break;
  }
  return at === undefined ? undefined : place(at);
}

const keyText = (key: unknown): string => String((key as { value?: unknown } | null)?.value ?? key);

const startOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0];
