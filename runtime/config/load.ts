// Reads a configuration: from a file, or a value that came from elsewhere (the twin). The only file that knows
// YAML (JSON is a part of it). What comes out is whole: tables of tags are filled in, files that it names were
// there, and `input` alone is enough to run again with none of these files.
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import {
  formatProblems,
  type Problem,
  type RawProblem,
  problemsOf as rawProblemsOf,
  toProblem,
} from './problems.ts';
import { type Config, configSchema } from './schema.ts';
import { tagColumns } from './tag-columns.ts';
import { parseTagTable, type TagTable } from './tags-csv.ts';

/** What a configuration may measure at most, so that a wrong path (a log, a disk image) cannot fill memory. */
const maxConfigBytes = 16 * 1024 * 1024;

export class ConfigError extends HoldfastError {
  readonly problems: readonly Problem[];
  /** The file is not there, as against: it is wrong. */
  readonly missing: boolean;

  constructor(where: string, problems: readonly Problem[], cause?: unknown) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super('config-invalid', `${where}: ${count}\n${formatProblems(problems)}`, { cause });
    this.problems = problems;
    this.missing = (cause as { code?: unknown } | undefined)?.code === 'ENOENT';
  }
}

export interface LoadedConfig {
  readonly config: Config;
  /** As it was written, tables of tags filled in: what is kept as last good. */
  readonly input: unknown;
  /** SHA-256 of `input`, hexadecimal: two configurations with the same are the same. */
  readonly hash: string;
  /** Files that it was read from: when one of them changes, it is to be read again. */
  readonly files: readonly string[];
}

export interface LoadOptions {
  /** SHA-256 that the file's bytes must have, hexadecimal. */
  readonly expectedHash?: string;
  /** Told of each file before it is read, also of one that is not there. */
  readonly onFile?: (file: string) => void;
}

/** @throws ConfigError that lists every problem of the file, each with its path and a hint. */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  options.onFile?.(file);
  const bytes = await readBytes(file, (cause, message) => {
    throw new ConfigError(file, [{ path: '', message }], cause);
  });
  const { expectedHash } = options;
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (expectedHash !== undefined && hash !== expectedHash.toLowerCase()) {
    const message = `its SHA-256 is ${hash}, not ${expectedHash.slice(0, 64)}: the file on this gateway is another one`;
    throw new ConfigError(file, [{ path: 'configHash', message }]);
  }
  const value = parseYaml(decode(bytes, file), file);
  const loaded = await loadValue(value, file, { folder: dirname(file), ...pick(options) });
  return { ...loaded, files: [file, ...loaded.files] };
}

export interface LoadValueOptions {
  /** What relative file names start from. Without it, they are refused. */
  readonly folder?: string;
  readonly onFile?: (file: string) => void;
}

/** `where` names the value in messages: a file's path, or the twin. @throws ConfigError with every problem. */
export async function loadValue(
  value: unknown,
  where: string,
  options: LoadValueOptions = {},
): Promise<LoadedConfig> {
  const { input, tables, files, problems } = await fillInTags(value, options);
  const result = configSchema.safeParse(input);
  const found = result.success ? [] : rawProblemsOf(result.error).map((raw) => inTable(raw, tables));
  const all = [...problems, ...found.filter((problem) => problem !== undefined)];
  if (all.length > 0 || !result.success) throw new ConfigError(where, all);
  const { caFile } = result.data.uplink;
  if (caFile !== undefined) {
    options.onFile?.(caFile);
    await readBytes(caFile, (cause, message) => {
      throw new ConfigError(where, [{ path: 'uplink.caFile', message: `${caFile} ${message}` }], cause);
    });
  }
  const hash = createHash('sha256').update(JSON.stringify(input)).digest('hex');
  return { config: result.data, input, hash, files };
}

/** @throws ConfigError. Without tables of tags: those need the disk. */
export function parseConfig(text: string, where: string): Config {
  return validateConfig(parseYaml(text, where), where);
}

export function validateConfig(value: unknown, where: string): Config {
  const result = configSchema.safeParse(value ?? {});
  if (!result.success) throw new ConfigError(where, rawProblemsOf(result.error).map(toProblem));
  return result.data;
}

/** The data folder that a file names, though the rest of it may be wrong: where the last good one is kept. */
export async function dataFolderIn(file: string): Promise<string | undefined> {
  try {
    const text = decode(await readBytes(file, (cause) => Promise.reject(cause)), file);
    const folder: unknown = parseDocument(text, { prettyErrors: false }).get('dataFolder');
    return typeof folder === 'string' && folder !== '' ? folder : undefined;
  } catch {
    return undefined;
  }
}

async function readBytes(
  file: string,
  fail: (cause: unknown, message: string) => never | Promise<never>,
): Promise<Uint8Array> {
  try {
    // Reading a pipe or a device could wait, or go on, for ever.
    const found = await stat(file);
    if (!found.isFile()) throw new Error('not a file');
    if (found.size > maxConfigBytes) throw new Error(`larger than ${maxConfigBytes} bytes`);
    return await readFile(file);
  } catch (cause) {
    return fail(cause, `cannot be read: ${describeError(cause)}`);
  }
}

function decode(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(where, [{ path: '', message: 'cannot be read: it is not UTF-8 text' }], cause);
  }
}

function parseYaml(text: string, where: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const { line, col } = lines.linePos(error.pos[0]);
      return { path: '', message: `line ${line}, column ${col}: not valid YAML: ${error.message}` };
    });
    throw new ConfigError(where, problems);
  }
  let value: unknown;
  try {
    // Aliases can multiply a small file into gigabytes; a configuration has no need of more than a few.
    value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new ConfigError(where, [{ path: '', message: describeError(cause) }], cause);
  }
  if (value === null || value === undefined) {
    const message = 'it is empty: was it cut off? A configuration names its sources, if only as []';
    throw new ConfigError(where, [{ path: '', message }]);
  }
  return value;
}

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
async function fillInTags(value: unknown, options: LoadValueOptions): Promise<FilledIn> {
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
    const problem = (message: string) => problems.push({ path: `sources[${index}].tagsFile`, message });
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
  { folder, onFile }: LoadValueOptions,
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
  onFile?.(file);
  try {
    const bytes = await readBytes(file, (cause) => Promise.reject(cause));
    const table = parseTagTable(decode(bytes, file), tagColumns(sourceType));
    for (const message of table.problems) problem(`${name}, ${message}`);
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
function inTable(raw: RawProblem, tables: FilledIn['tables']): Problem | undefined {
  const [first, source, field, tag, ...setting] = raw.path;
  if (first !== 'sources' || typeof source !== 'number' || field !== 'tags' || !tables.has(source))
    return toProblem(raw);
  const found = tables.get(source);
  // What is said of the table is enough: that its tags are then missing follows from it.
  if (!found) return undefined;
  if (typeof tag !== 'number' || tag < found.before) return toProblem(raw);
  const place = found.table.place(tag - found.before, setting.length === 0 ? undefined : setting.join('.'));
  return { path: `sources[${source}].tagsFile`, message: `${found.file}, ${place}: ${raw.message}` };
}

function pick({ onFile }: LoadOptions): LoadValueOptions {
  return onFile === undefined ? {} : { onFile };
}
