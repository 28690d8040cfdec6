// Reads tags from a table: one row a tag, one column a setting, as engineers keep them in a spreadsheet. The result is what
// the YAML would have held; the schema validates it, and `place` tells where each value came from.
import { type Cell, parseCsv, type Row } from './csv.ts';
import { nearest } from './nearest.ts';
import type { CellKind, TagColumns } from './tag-columns.ts';

export interface TagTable {
  readonly tags: readonly Record<string, unknown>[];
  /**
   * Where in the file a tag's setting stands, for people: `line 14, column 3 (address)`. A setting within a setting is
   * `outer.inner`.
   */
  place(tag: number, setting: string | undefined): string;
  /**
   * What is said instead of each tag that lacks `setting`, once: that there is no such column; nothing where that follows
   * from what is said of the header. Undefined where the column is there.
   */
  lack(setting: string, message: string): string | undefined;
  /** Problems of the table itself. */
  readonly problems: readonly string[];
}

/** Problems listed of one table: a file of another kind has one in each row. */
const maxProblems = 50;

/** `known`: the columns that it may have. */
export function parseTagTable(text: string, known: TagColumns): TagTable {
  const { rows, separator, problems } = parseCsv(text);
  const found = problems.map(({ line, column, message }) => `line ${line}, column ${column}: ${message}`);
  const [header, ...body] = rows;
  if (!header) {
    const problem = 'it has no rows: the first names the columns';
    return { tags: [], place: () => 'line 1', lack: () => undefined, problems: [problem] };
  }
  const meant = new Set<string>();
  const columns = header.cells.map((cell) => columnOf(cell, header, known, { found, meant }));
  if (!columns.includes('name') && !meant.has('name'))
    found.push(`line ${header.line}: there is no column name`);
  const tags = body.map((row) => toTag(row, columns, known, separator, found));
  return {
    tags,
    place: (tag, setting) => placeOf(body[tag], columns, setting),
    lack: (setting, message) => {
      if (setting === '' || columns.includes(setting)) return undefined;
      if (setting === 'name' || meant.has(setting)) return '';
      const needed = message.replace(/^is missing: it /, '');
      return `line ${header.line}: there is no column ${setting}, which tags need: it ${needed}`;
    },
    problems: found.length > maxProblems ? [...found.slice(0, maxProblems), more(found)] : found,
  };
}

function more(found: readonly string[]): string {
  return `and ${found.length - maxProblems} more problems`;
}

/** The setting that a column holds; undefined (and a problem) where it is none. */
function columnOf(
  cell: Cell,
  header: Row,
  known: TagColumns,
  { found, meant }: { readonly found: string[]; readonly meant: Set<string> },
): string | undefined {
  const wanted = cell.text.toLowerCase();
  const setting = [...known.keys()].find((name) => name.toLowerCase() === wanted);
  if (setting === undefined && wanted !== '') {
    const near = nearest(cell.text, known.keys());
    if (near !== undefined) meant.add(near);
    const hint = near === undefined ? `known: ${[...known.keys()].join(', ')}` : `did you mean ${near}?`;
    found.push(
      `line ${header.line}, column ${cell.column}: '${cell.text.slice(0, 40)}' is no setting of a tag; ${hint}`,
    );
  }
  return setting;
}

function toTag(
  row: Row,
  columns: readonly (string | undefined)[],
  known: TagColumns,
  separator: string,
  found: string[],
): Record<string, unknown> {
  const tag: Record<string, unknown> = {};
  for (const [index, cell] of row.cells.entries()) {
    if (cell.text === '') continue;
    const setting = columns[index];
    if (setting !== undefined) put(tag, setting, cellValue(cell.text, known.get(setting)!, separator));
    else if (index >= columns.length) {
      found.push(`line ${row.line}, column ${cell.column}: there are more cells than columns`);
    }
  }
  return tag;
}

/** `outer.inner` goes into the object `outer`. */
function put(tag: Record<string, unknown>, setting: string, value: unknown): void {
  const names = setting.split('.');
  const last = names.pop()!;
  let into = tag;
  for (const name of names) {
    const inner = (into[name] ?? {}) as Record<string, unknown>;
    into[name] = inner;
    into = inner;
  }
  into[last] = value;
}

/** A text that does not fit the column's type stays a text: the schema then reports the error. */
function cellValue(text: string, kind: CellKind, separator: string): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      return toNumber(text, separator);
    case 'flag':
      if (/^(true|yes|1)$/i.test(text)) return true;
      if (/^(false|no|0)$/i.test(text)) return false;
      return text;
    case 'names':
      return toNames(text);
    case 'list':
      return text.split('|').map((part) => part.trim());
    case 'numbers':
      return text.split('|').map((part) => toNumber(part.trim(), separator));
  }
}

function toNumber(text: string, separator: string): unknown {
  // Where cells are not parted by commas, a comma is a decimal one.
  const plain = separator === ',' ? text : text.replace(/^([+-]?\d+),(\d+)$/, '$1.$2');
  if (/^0x[0-9a-f]+$/i.test(plain)) return Number(plain);
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : text;
}

/** `0=stopped|1=running` */
function toNames(text: string): unknown {
  const pairs = text.split('|').map((pair) => pair.split(/=(.*)/s).map((part) => part.trim()));
  if (pairs.some(([key, name]) => !key || name === undefined)) return text;
  return Object.fromEntries(pairs.map(([key, name]) => [key, name]));
}

function placeOf(
  row: Row | undefined,
  columns: readonly (string | undefined)[],
  setting: string | undefined,
): string {
  if (!row) return 'the end';
  if (setting === undefined) return `line ${row.line}`;
  const at = columns.findIndex((column) => column === setting || setting.startsWith(`${column}.`));
  const cell = row.cells[at];
  return cell ? `line ${row.line}, column ${cell.column} (${setting})` : `line ${row.line} (${setting})`;
}
