// Reads a configuration: from a file, or a value that came from elsewhere (the twin). What comes out is whole: tables of tags are filled in, files that it names were
// there, and `input` alone is enough to run again with none of these files.
import { createHash } from 'node:crypto';
import { dirname, isAbsolute, join } from 'node:path';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { readNamedFile } from '../../kernel/small-file.ts';
import { maskedText } from '../../kernel/url-secrets.ts';
import { queryProblems } from '../rules/config.ts';
import { findNamedFiles } from './named-files.ts';
import { withLists } from './named-lists.ts';
import { nearest } from './nearest.ts';
import { arranged, formatProblems, type PlaceOf, type Problem } from './problem-text.ts';
import {
  formatPath,
  parseParams,
  type RawProblem,
  problemsOf as rawProblemsOf,
  toProblem,
} from './problems.ts';
import { fillInProfiles } from './profiles.ts';
import { Quiet } from './quiet.ts';
import { isNamed, type RemoteFiles, readRemoteFile } from './remote-files.ts';
import { type Config, configSchema, factsOf, soundParts } from './schema.ts';
import { tagColumns } from './tag-columns.ts';
import { parseTagTable, type TagTable } from './tags-csv.ts';
import { withDurations, withVariables } from './values.ts';
import { readYaml, settingIn } from './yaml-text.ts';

/** The largest configuration, so that a wrong path (a log, a disk image) cannot fill memory. */
const maxConfigBytes = 16 * 1024 * 1024;

export class ConfigError extends HoldfastError {
  readonly problems: readonly Problem[];
  /** The file is not there, as against: it is wrong. */
  readonly missing: boolean;
  /** As `LoadedConfig.hash`, where the content could be read as a value. */
  readonly hash: string | undefined;

  constructor(where: string, found: readonly Problem[], cause?: unknown, hash?: string) {
    // Every problem goes this way to whoever reads it: here no message can forget an address with a password in it.
    const problems = arranged(found).map(withoutSecrets);
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super('config-invalid', `${maskedText(where)}: ${count}\n${formatProblems(problems)}`, { cause });
    this.problems = problems;
    this.hash = hash;
    this.missing = (cause as { code?: unknown } | undefined)?.code === 'ENOENT';
  }
}

function withoutSecrets(problem: Problem): Problem {
  const { path, message, of } = problem;
  return {
    ...problem,
    ...{ path: maskedText(path), message: maskedText(message) },
    ...(of !== undefined && { of: maskedText(of) }),
  };
}

export interface LoadedConfig {
  readonly config: Config;
  /** As it was written, with tables of tags filled in. This is stored as last good. */
  readonly input: unknown;
  /** SHA-256 of `input`, hexadecimal, in whatever order its keys stand: two configurations with the same are the same. */
  readonly hash: string;
  /** The files that it was read from: when one changes, load the configuration again. */
  readonly files: readonly string[];
}

export interface LoadOptions {
  /** SHA-256 that the file's bytes must have, hexadecimal. */
  readonly expectedHash?: string;
  /** Called with each file before it is read, also with one that does not exist. */
  readonly onFile?: (file: string) => void;
  /**
   * Present where somebody far away named the file: it must lie there, as all that it names, and problems say nothing of
   * what is in it.
   */
  readonly remote?: RemoteFiles;
}

/** @throws ConfigError that lists every problem of the file, each with its path and a hint. */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  const { expectedHash, remote } = options;
  const isOutside = remote !== undefined && !isNamed(file, remote);
  if (!isOutside) options.onFile?.(file);
  const bytes = await readBytes(
    file,
    (cause, message) => {
      throw new ConfigError(file, [{ path: '', message }], cause);
    },
    remote,
  );
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (expectedHash !== undefined && hash !== expectedHash.toLowerCase()) {
    const is = remote === undefined ? `its SHA-256 is ${hash}, not` : 'its SHA-256 is not';
    const message = `${is} ${expectedHash.slice(0, 64)}: the file on this gateway is another one`;
    throw new ConfigError(file, [{ path: 'configHash', message }]);
  }
  const { value, placeOf } = parseYaml(decode(bytes, file), file, remote !== undefined);
  const loaded = await loadValue(value, file, { folder: dirname(file), placeOf, ...pick(options) });
  return { ...loaded, files: [file, ...loaded.files] };
}

export interface LoadValueOptions {
  /** The folder that relative file names start from. Without it, they are refused. */
  readonly folder?: string;
  readonly onFile?: (file: string) => void;
  /** As for a file: of what the value names. */
  readonly remote?: RemoteFiles;
  /** The position of a value in the file that it came from. */
  readonly placeOf?: PlaceOf;
}

/** `where` names the value in messages: a file's path, or the twin. @throws ConfigError with every problem. */
export async function loadValue(
  given: unknown,
  where: string,
  options: LoadValueOptions = {},
): Promise<LoadedConfig> {
  const { value, placeOf, asWritten, problems: unfit } = withLists(given, options.placeOf);
  try {
    return await loadLists(value, where, { ...options, ...(placeOf && { placeOf }) }, unfit);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The names of a map are the file's.
    if (options.remote !== undefined && options.placeOf !== undefined) throw error;
    throw new ConfigError(where, error.problems.map(asWritten), error.cause, error.hash);
  }
}

/** @param unfit what was wrong with maps by name */
async function loadLists(
  value: unknown,
  where: string,
  options: LoadValueOptions,
  unfit: readonly RawProblem[],
): Promise<LoadedConfig> {
  const { remote, placeOf } = options;
  const { value: known, problems: unknown } = withVariables(value, environmentFor(options));
  const { folder, onFile } = options;
  const profiled = await fillInProfiles(known, {
    ...(folder !== undefined && { folder }),
    isQuiet: remote !== undefined,
    read: (file) => {
      if (remote === undefined || isNamed(file, remote)) onFile?.(file);
      return readBytes(file, (cause) => Promise.reject(cause), remote);
    },
  });
  const filled = await fillInTags(profiled.input, options);
  const { tables } = filled;
  const files = [...profiled.files, ...filled.files];
  const input = withDurations(filled.input);
  const result = configSchema.safeParse(input, parseParams);
  const { quiet, ofTables } = quietFor(options, value, input);
  const say = (raw: RawProblem) => quiet?.problem(raw, placeOf) ?? toProblem(raw, placeOf, input);
  const named = [...profiled.problems, ...filled.problems].map((each) => quiet?.said(each) ?? each);
  const problems = [
    ...[...unfit, ...unknown].map((raw) => quiet?.problem(raw, placeOf) ?? toProblem(raw, placeOf, value)),
    ...named,
  ];
  const found = result.success
    ? []
    : rawProblemsOf(result.error, input).map((raw) => inTable(raw, tables, say, ofTables));
  const before = new Set(unknown.map(({ path }) => formatPath(path)));
  // What is said of a variable is the cause of what its setting lacks.
  const more = found.flatMap((problem) => (problem && !before.has(problem.path) ? [problem] : []));
  const parts = result.success
    ? { ...result.data, facts: result.data.sources.map(factsOf), problems: [] }
    : soundParts(input);
  const inQueries = await queryProblems(
    parts.rules,
    parts.facts.filter(({ isNumbered }) => !isNumbered),
    nearest,
  );
  // Not of a configuration that was kept: it ran, and a file that has gone since keeps no module from starting.
  const missingFiles =
    remote === undefined && placeOf !== undefined ? await findNamedFiles(parts.sources, placeOf, input) : [];
  const all = distinct([
    ...problems,
    ...more,
    ...[...parts.problems, ...inQueries].map(say),
    ...missingFiles,
  ]);
  const hash = hashOf(input);
  if (all.length > 0 || !result.success) throw new ConfigError(where, all, undefined, hash);
  const { caFile } = result.data.uplink;
  if (caFile !== undefined) {
    options.onFile?.(caFile);
    await readBytes(
      caFile,
      (cause, message) => {
        const problem = { path: 'uplink.caFile', message: `${caFile} ${message}` };
        throw new ConfigError(where, [quiet?.said(problem) ?? problem], cause, hash);
      },
      remote,
    );
  }
  return { config: result.data, input, hash, files };
}

/** A hub may keep a twin's keys in another order than they were sent. */
function hashOf(input: unknown): string {
  const inOrder = (_: string, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return createHash('sha256')
    .update(JSON.stringify(input, inOrder) ?? '')
    .digest('hex');
}

/** What the schema found between parts is found again with those that are right by themselves. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  const byText = new Map(problems.map((problem) => [`${problem.path}\n${problem.message}`, problem]));
  return [...byText.values()];
}

/** A value that came with the twin itself is known to its readers, word by word: only tables that it names are hidden then. */
function quietFor({ remote, placeOf }: LoadValueOptions, given: unknown, input: unknown) {
  if (remote === undefined) return {};
  const ofTables = new Quiet([given, input]);
  return placeOf === undefined ? { ofTables } : { quiet: ofTables, ofTables };
}

/**
 * Variables are the gateway's: what somebody far away wrote must not learn them. A configuration that was kept has none
 * any more.
 */
function environmentFor({
  remote,
}: LoadValueOptions): Readonly<Record<string, string | undefined>> | undefined {
  return remote === undefined ? process.env : undefined;
}

/** @throws ConfigError. Without tables of tags: those need the disk. */
export function parseConfig(text: string, where: string): Config {
  const { value, placeOf } = parseYaml(text, where, false);
  return validateConfig(value, where, placeOf);
}

export function validateConfig(value: unknown, where: string, placeOf?: PlaceOf): Config {
  const lists = withLists(value ?? {}, placeOf);
  const input = withDurations(lists.value);
  const result = configSchema.safeParse(input, parseParams);
  if (result.success && lists.problems.length === 0) return result.data;
  const found = [...lists.problems, ...(result.success ? [] : rawProblemsOf(result.error, input))];
  throw new ConfigError(
    where,
    found.map((raw) => lists.asWritten(toProblem(raw, lists.placeOf, input))),
  );
}

/** The data folder that a file names, though the rest of it may be wrong: where the last good one is kept. */
export async function dataFolderIn(file: string): Promise<string | undefined> {
  try {
    const text = decode(await readBytes(file, (cause) => Promise.reject(cause)), file);
    const folder = settingIn(text, 'dataFolder');
    return typeof folder === 'string' && folder !== '' ? folder : undefined;
  } catch {
    return undefined;
  }
}

async function readBytes(
  file: string,
  fail: (cause: unknown, message: string) => never | Promise<never>,
  remote?: RemoteFiles,
): Promise<Uint8Array> {
  try {
    if (remote !== undefined) return await readRemoteFile(file, remote, maxConfigBytes);
    return await readNamedFile(file, maxConfigBytes);
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

/** @throws ConfigError where it is no YAML, or empty */
export function parseYaml(
  text: string,
  where: string,
  isQuiet: boolean,
): { value: unknown; placeOf: PlaceOf } {
  const read = readYaml(text, isQuiet);
  if ('problems' in read) throw new ConfigError(where, read.problems, read.cause);
  if (read.value === null || read.value === undefined) {
    const message = 'it is empty: was it cut off? A configuration names its sources, if only as []';
    throw new ConfigError(where, [{ path: '', message }]);
  }
  return read;
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
function inTable(
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

function pick({ onFile, remote }: LoadOptions): LoadValueOptions {
  return { ...(onFile === undefined ? {} : { onFile }), ...(remote === undefined ? {} : { remote }) };
}
