// A folder of the Stream Analytics test tool (`azure-streamanalytics-cicd test`): a query, `testConfig.json` with its cases, their input and
// expected output files, and `JobConfig.json` where the order of events is set.
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import { kindOf, readNamedFile } from '../../../kernel/small-file.ts';
import type { EventOrder, RuleRecord } from '../../rules/engine-api.ts';

export interface TestCase {
  readonly name: string;
  readonly inputs: readonly { readonly alias: string; readonly events: readonly RuleRecord[] }[];
  readonly outputs: readonly { readonly alias: string; readonly rows: readonly RuleRecord[] }[];
  /** Part of the message with which the query is refused. Ours alone: the other tool has no such thing. */
  readonly expectedError?: string;
}

export interface TestProject {
  readonly folder: string;
  readonly script: string;
  readonly query: string;
  /** Of fields, by input. */
  readonly types?: Readonly<Record<string, Readonly<Record<string, 'float' | 'bigint'>>>>;
  readonly order: EventOrder;
  readonly cases: readonly TestCase[];
}

const maxFileBytes = 64 * 1024 * 1024;
const maxFolders = 1000;

/** What stands for the query of the folder. */
export type OtherQuery = Pick<TestProject, 'script' | 'query' | 'types'>;

/** The folder itself, or each folder in it that is one. @throws HoldfastError `rules-test-invalid` */
export async function findProjects(folder: string, query?: OtherQuery): Promise<readonly TestProject[]> {
  const own = await configOf(folder);
  if (own !== undefined) return [await readProject(folder, own, query)];
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw invalid(`${folder} cannot be listed`, cause);
  });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  if (folders.length > maxFolders)
    throw invalid(`${folder} holds ${folders.length} folders: at most ${maxFolders}`);
  const projects: TestProject[] = [];
  for (const each of folders.sort()) {
    const config = await configOf(each);
    if (config !== undefined) projects.push(await readProject(each, config, query));
  }
  if (projects.length > 0) return projects;
  throw invalid(`there is no testConfig.json in ${folder}, in its folder test, nor in a folder of it`);
}

async function configOf(folder: string): Promise<string | undefined> {
  for (const path of [join(folder, 'test', 'testConfig.json'), join(folder, 'testConfig.json')])
    if ((await kindOf(path)) === 'file') return path;
  return undefined;
}

async function readProject(folder: string, configPath: string, other?: OtherQuery): Promise<TestProject> {
  const config = record(await readJson(configPath), configPath);
  const query = other ?? (await ownQuery(folder, config.Script));
  const list = config.TestCases;
  if (!Array.isArray(list) || list.length === 0) throw invalid(`${configPath} has no TestCases`);
  const cases: TestCase[] = [];
  for (const one of list) cases.push(await readCase(record(one, configPath), folder, configPath));
  return { folder, ...query, order: await readOrder(folder), cases };
}

async function ownQuery(folder: string, named: unknown): Promise<OtherQuery> {
  const script = await findScript(folder, named);
  return { script, query: (await bytesOf(script)).toString('utf8').replace(/^\uFEFF/, '') };
}

/** Of asaproj.json, else the one .asaql file, else the one that testConfig.json names. */
async function findScript(folder: string, named: unknown): Promise<string> {
  const project = join(folder, 'asaproj.json');
  if ((await kindOf(project)) === 'file') {
    const { startFile } = record(await readJson(project), project);
    if (typeof startFile === 'string') return join(folder, startFile.replaceAll('\\', '/'));
  }
  const files = (await readdir(folder)).filter((name) => name.endsWith('.asaql'));
  if (files.length === 1) return join(folder, files[0]!);
  if (typeof named === 'string' && named !== '') return join(folder, basename(named.replaceAll('\\', '/')));
  throw invalid(
    `${folder} has ${files.length} .asaql files, and no asaproj.json with startFile says which one is meant`,
  );
}

async function readCase(one: Record<string, unknown>, folder: string, configPath: string): Promise<TestCase> {
  const name = typeof one.Name === 'string' ? one.Name : 'without a name';
  const where = `${configPath}, case ${name}`;
  const read = async (part: unknown, aliasKey: string) => {
    const entry = record(part, where);
    const alias = entry[aliasKey];
    if (typeof alias !== 'string') throw invalid(`${where}: ${aliasKey} is missing`);
    if (entry.Required === false) return undefined;
    if (typeof entry.Format === 'string' && !/^json$/i.test(entry.Format))
      throw invalid(`${where}: ${alias} is of format ${entry.Format}; JSON alone is supported`);
    if (typeof entry.Type === 'string' && !/^data\s*stream$/i.test(entry.Type))
      throw invalid(`${where}: ${alias} is of type ${entry.Type}; data streams alone are supported`);
    if (typeof entry.FilePath !== 'string') throw invalid(`${where}: FilePath of ${alias} is missing`);
    const path = await findFile(entry.FilePath, [join(configPath, '..'), folder], where);
    return { alias, rows: rowsOf((await bytesOf(path)).toString('utf8'), path) };
  };
  const inputs = [];
  for (const part of listOf(one.Inputs, where, 'Inputs')) {
    const input = await read(part, 'InputAlias');
    if (input !== undefined) inputs.push({ alias: input.alias, events: input.rows });
  }
  const outputs = [];
  for (const part of listOf(one.ExpectedOutputs ?? [], where, 'ExpectedOutputs')) {
    const output = await read(part, 'OutputAlias');
    if (output !== undefined) outputs.push(output);
  }
  if (outputs.length === 0 && typeof one.ExpectedError !== 'string')
    throw invalid(
      `${where} compares nothing: give ExpectedOutputs at least one output whose Required is not false, or ExpectedError`,
    );
  const expectedError = typeof one.ExpectedError === 'string' ? { expectedError: one.ExpectedError } : {};
  return { name, inputs, outputs, ...expectedError };
}

async function findFile(named: string, bases: readonly string[], where: string): Promise<string> {
  const path = named.replaceAll('\\', '/');
  for (const candidate of path.startsWith('/') ? [path] : bases.map((base) => join(base, path)))
    if ((await kindOf(candidate)) === 'file') return candidate;
  throw invalid(
    `${where}: there is no file ${named}; paths are relative to testConfig.json or to the project`,
  );
}

/** `JobConfig.json` of the project. Late arrival has no meaning for files. */
async function readOrder(folder: string): Promise<EventOrder> {
  const path = join(folder, 'JobConfig.json');
  if ((await kindOf(path)) !== 'file') return {};
  const config = record(await readJson(path), path);
  const seconds = config.EventsOutOfOrderMaxDelayInSeconds;
  const policy = config.EventsOutOfOrderPolicy;
  return {
    ...(typeof seconds === 'number' ? { outOfOrderMs: seconds * 1000 } : {}),
    ...(typeof policy === 'string' ? { policy: /^drop$/i.test(policy) ? 'drop' : 'adjust' } : {}),
  };
}

/** An array of records, or one record a line. */
function rowsOf(text: string, path: string): readonly RuleRecord[] {
  const trimmed = text.replace(/^\uFEFF/, '').trim();
  if (trimmed === '') return [];
  try {
    const parsed: unknown = JSON.parse(trimmed);
    return (Array.isArray(parsed) ? parsed : [parsed]).map((one) => record(one, path) as RuleRecord);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    return trimmed.split(/\r?\n/).flatMap((line, index): readonly RuleRecord[] => {
      if (line.trim() === '') return [];
      try {
        return [record(JSON.parse(line), path) as RuleRecord];
      } catch {
        throw invalid(`${path} is neither JSON nor one JSON record a line (line ${index + 1})`, cause);
      }
    });
  }
}

async function readJson(path: string): Promise<unknown> {
  const bytes = await bytesOf(path);
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw invalid(`${path} is not JSON`, cause);
  }
}

async function bytesOf(path: string): Promise<Buffer> {
  try {
    return await readNamedFile(path, maxFileBytes);
  } catch (cause) {
    throw invalid(`${path} cannot be read`, cause);
  }
}

function record(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw invalid(`${where} holds what is no record`);
}

function listOf(value: unknown, where: string, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(`${where}: ${name} is no list`);
}

function invalid(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError('rules-test-invalid', message, cause === undefined ? {} : { cause });
}
