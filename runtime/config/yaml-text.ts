// YAML, of which JSON is a part: the only file that knows the library.
import { type Document, isMap, isSeq, LineCounter, type Node, parse, parseDocument, stringify } from 'yaml';
import { describeError } from '../../kernel/errors.ts';
import { readJson } from './json-text.ts';
import type { PlaceOf, Problem, TextPosition } from './problem-text.ts';

interface ProblemsOfText {
  readonly problems: readonly Problem[];
  readonly cause?: unknown;
}

export type ReadYaml = { readonly value: unknown; readonly placeOf: PlaceOf } | ProblemsOfText;

/**
 * What was read last. A start reads one file four times, and for 25,000 tags the parser takes a second and 100 MB each time.
 */
let last: { readonly text: string; readonly value: unknown } | undefined;

/**
 * `isQuiet`: problems name places, and not a word of the text. The same text gives the same object again, which is not to be changed.
 */
export function readYaml(text: string, isQuiet: boolean): ReadYaml {
  const known = last?.text === text ? last : readJson(text);
  const read = known === undefined ? parseText(text, isQuiet) : { value: known.value };
  if ('problems' in read) return read;
  last = { text, value: read.value };
  // Asked for where something is wrong: the document, many times as large as its value, is not kept for that.
  let find: PlaceOf | undefined;
  const placeOf: PlaceOf = (path) => {
    find ??= placesIn(documentOf(text));
    return find(path);
  };
  return { value: read.value, placeOf };
}

interface ParsedText {
  readonly document: Document.Parsed;
  readonly place: (at: number) => TextPosition;
}

function documentOf(text: string): ParsedText {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    ...{ lineCounter: lines, prettyErrors: false, uniqueKeys: true, merge: true },
  });
  const place = (at: number): TextPosition => {
    const { line, col } = lines.linePos(at);
    return { line, column: col };
  };
  return { document, place };
}

function placesIn({ document, place }: ParsedText): PlaceOf {
  return (path) => placeIn(document.contents, path, place);
}

function parseText(text: string, isQuiet: boolean): { readonly value: unknown } | ProblemsOfText {
  const { document, place } = documentOf(text);
  const [first, ...rest] = document.errors;
  if (first !== undefined) {
    // The library goes on after a mistake, and what it then finds mostly follows from it.
    const more = rest.length > 0 ? '. What comes behind it was not looked at' : '';
    const said =
      (/^Flow (map|sequence)/.test(first.message) ? yamlWords.OPEN_BRACKET : yamlWords[first.code]) ??
      (isQuiet ? undefined : first.message);
    const message = `not valid YAML${said === undefined ? '' : `: ${said}`}${more}`;
    return { problems: [{ path: '', message, place: place(first.pos[0]) }] };
  }
  try {
    // Aliases can multiply a small file into gigabytes; a site has defaults that all of its sources share.
    return { value: document.toJS({ maxAliasCount }) };
  } catch (cause) {
    const message = /alias count/.test(describeError(cause))
      ? `names of other places (*name) are used more than ${maxAliasCount} times: write out what they stand for`
      : isQuiet
        ? 'not valid YAML'
        : describeError(cause);
    return { problems: [{ path: '', message }], cause };
  }
}

/** Uses of one name, multiplied where it holds others. */
const maxAliasCount = 1000;

const yamlWords: Readonly<Record<string, string>> = {
  BAD_INDENT: 'this line is indented otherwise than the lines that it belongs to',
  OPEN_BRACKET: 'a bracket [ or { above is not closed, or what stands in it is not indented',
  TAB_AS_INDENT: 'there is a tab in the indentation: use spaces',
  DUPLICATE_KEY: 'this name stands here twice: each setting must be unique',
  MISSING_CHAR:
    'a colon, a comma, a bracket or a closing quotation mark is missing here, or a space behind a colon; or this line is indented otherwise than those that it belongs to',
  MULTILINE_IMPLICIT_KEY: 'a bracket or a quotation mark above is not closed, or a colon is missing',
  BLOCK_AS_IMPLICIT_KEY:
    'there are two colons in this line: put the value in quotes, or the second setting on a line of its own',
  UNEXPECTED_TOKEN: 'this cannot stand here: put it in quotes where it is text',
  BAD_ALIAS: '* stands for another place of the file: put the value in quotes',
  BAD_SCALAR_START: 'a value that begins with this letter must be in quotes',
  BAD_DQ_ESCAPE: 'a backslash between double quotes begins an escape: use single quotes',
  MULTIPLE_DOCS: 'there is a second document in this file: remove the line ---',
};

/** Parses one value, as written after a setting. @throws Error where it is no YAML. */
export function parseYamlValue(text: string): unknown {
  return parse(text);
}

/** A setting of the topmost level; undefined where there is none, or no YAML. */
export function settingIn(text: string, name: string): unknown {
  const read = readYaml(text, true);
  if ('problems' in read) return parseDocument(text, { prettyErrors: false }).get(name);
  return (read.value as Readonly<Record<string, unknown>> | null)?.[name];
}

function placeIn(
  contents: unknown,
  path: readonly PropertyKey[],
  place: (at: number) => TextPosition,
): TextPosition | undefined {
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

/** As it is pasted into a configuration. */
export function writeYaml(value: unknown): string {
  return stringify(value).trimEnd();
}

const keyText = (key: unknown): string => String((key as { value?: unknown } | null)?.value ?? key);

const startOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0];
