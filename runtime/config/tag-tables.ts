// Tables of tags: the files that sources name, filled in as if their tags stood in the configuration; and problems of such tags, told
// where they stand.
import { isAbsolute, join } from 'node:path';
import { describeError } from '../../kernel/errors.ts';
import { ConfigError } from './config-error.ts';
import { decode, type LoadValueOptions, readBytes } from './config-text.ts';
import type { Problem } from './problem-text.ts';
import { type RawProblem, toProblem } from './problems.ts';
import type { Quiet } from './quiet.ts';
import { isNamed } from './remote-files.ts';
import { tagColumns } from './tag-columns.ts';
import { parseTagTable, type TagTable } from './tags-csv.ts';

interface Table {
  readonly file: string;
  readonly table: TagTable;
  /** Tags of the source that stand in the configuration itself, before the table's. */
  readonly before: number;
}

interface FilledIn {
  readonly input: unknown;
  /** By the position of the source; undefined where its table cannot be used. */
  readonly tables: ReadonlyMap<number, Table | undefined>;
  readonly files: readonly string[];
  readonly problems: readonly Problem[];
}

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Puts the tags of `tagsFile` into `tags`. */
export async function fillInTags(value: unknown, options: LoadValueOptions): Promise<FilledIn> {
  const given = isFields(value) ? value.sources : undefined;
  if (!Array.isArray(given)) return { input: value, tables: new Map(), files: [], problems: [] };
  const tables = new Map<number, Table | undefined>();
  const files: string[] = [];
  const problems: Problem[] = [];
  const sources: unknown[] = [];
  for (const [index, source] of given.entries()) {
    if (!isFields(source) || source.tagsFile === undefined) {
      sources.push(source);
      continue;
    }
    const { tagsFile, ...rest } = source;
    const inline = Array.isArray(rest.tags) ? rest.tags : [];
    const problem = (message: string) =>
      problems.push(toProblem({ path: ['sources', index, 'tagsFile'], message }, options.placeOf, value));
    const read = await readTable(tagsFile, source.type, options, problem);
    if (read) files.push(read.file);
    tables.set(index, read && { ...read, before: inline.length });
    sources.push({ ...rest, tags: [...inline, ...(read?.table.tags ?? [])] });
  }
  return { input: { ...(value as Fields), sources }, tables, files, problems };
}

async function readTable(
  name: unknown,
  sourceType: unknown,
  { folder, onFile, remote }: LoadValueOptions,
  problem: (message: string) => void,
): Promise<{ file: string; table: TagTable } | undefined> {
  if (typeof name !== 'string' || name === '') {
    problem('must be the name of a file');
    return undefined;
  }
  if (folder === undefined && !isAbsolute(name)) {
    problem(`must be an absolute path, since the configuration is in no folder: ${name.slice(0, 100)}`);
    return undefined;
  }
  const file = isAbsolute(name) ? name : join(folder ?? '/', name);
  if (remote === undefined || isNamed(file, remote)) onFile?.(file);
  try {
    const bytes = await readBytes(file, (cause) => Promise.reject(cause), remote);
    const table = parseTagTable(decode(bytes, file), tagColumns(sourceType));
    // Of a file that somebody far away named, the place alone.
    const say = (text: string) => (remote === undefined ? text : `${text.split(':')[0]}: cannot stand there`);
    for (const message of table.problems) problem(`${name}, ${say(message)}`);
    return { file, table };
  } catch (cause) {
    problem(
      cause instanceof ConfigError
        ? `${name}: ${cause.problems[0]?.message}`
        : `${name} cannot be read: ${describeError(cause)}`,
    );
    return undefined;
  }
}

/** A problem of a tag out of a table is shown where the tag stands. */
export function inTable(
  raw: RawProblem,
  tables: FilledIn['tables'],
  say: (raw: RawProblem) => Problem,
  quiet: Quiet | undefined,
): Problem | undefined {
  const [first, source, field, tag, ...setting] = raw.path;
  if (first !== 'sources' || typeof source !== 'number' || field !== 'tags' || !tables.has(source))
    return say(raw);
  const found = tables.get(source);
  // What is said of the table is enough: that its tags are then missing follows from it.
  if (!found) return undefined;
  if (typeof tag !== 'number' || tag < found.before) return say(raw);
  const { table } = found;
  const lack = raw.isMissing ? table.lack(setting.join('.'), raw.message) : undefined;
  if (lack === '') return undefined;
  const place = table.place(tag - found.before, setting.length === 0 ? undefined : setting.join('.'));
  const shown = raw.here === undefined || quiet !== undefined ? '' : ` (here: ${raw.here})`;
  const message = quiet === undefined || raw.isOfSchema ? raw.message : quiet.text(raw.message);
  return {
    path: `sources[${source}].tagsFile`,
    message: `${quiet?.text(found.file) ?? found.file}, ${lack ?? `${place}: ${message}${shown}`}`,
  };
}
