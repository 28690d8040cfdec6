// Reads a configuration: from a file, or a value that came from elsewhere (the twin). What comes out is whole: tables of tags are filled in, files that it names were
// there, and `input` alone is enough to run again with none of these files.
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { queryProblems } from '../rules/config.ts';
import { ConfigError } from './config-error.ts';
import { decode, type LoadValueOptions, readBytes } from './config-text.ts';
import { findNamedFiles } from './named-files.ts';
import { withLists } from './named-lists.ts';
import { nearest } from './nearest.ts';
import type { PlaceOf, Problem } from './problem-text.ts';
import {
  formatPath,
  parseParams,
  type RawProblem,
  problemsOf as rawProblemsOf,
  toProblem,
} from './problems.ts';
import { fillInProfiles } from './profiles.ts';
import { Quiet } from './quiet.ts';
import { isNamed, type RemoteFiles } from './remote-files.ts';
import { type Config, configSchema, factsOf, soundParts } from './schema.ts';
import { fillInTags, inTable } from './tag-tables.ts';
import { withDurations, withVariables } from './values.ts';
import { readYaml, settingIn } from './yaml-text.ts';

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
  const { value: known, problems: unknown } = options.isResolved
    ? { value, problems: [] }
    : withVariables(value, environmentFor(options));
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
export function hashOf(input: unknown): string {
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

/** Variables are the gateway's: what somebody far away wrote must not learn them. */
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

function pick({ onFile, remote }: LoadOptions): LoadValueOptions {
  return { ...(onFile === undefined ? {} : { onFile }), ...(remote === undefined ? {} : { remote }) };
}
