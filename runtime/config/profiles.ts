// Inserts device profiles into the sources of a configuration: `profile` names one that is built in, or a file.
import { isAbsolute, join } from 'node:path';
import { describeError } from '../../kernel/errors.ts';
import {
  applyProfile,
  builtInProfile,
  type Profile,
  type ProfileUse,
  parseProfile,
  profileNames,
  profileSetting,
  tagsOf,
} from '../sources/profiles/config.ts';
import type { Problem } from './problem-text.ts';
import { problemsOf, toProblem } from './problems.ts';
import { readYaml } from './yaml-text.ts';

export interface ProfileFiles {
  /** The folder that relative file names start from. Without it, they are refused. */
  readonly folder?: string;
  readonly read: (file: string) => Promise<Uint8Array>;
  /** Problems must not repeat contents of the file, since it was named remotely. */
  readonly isQuiet: boolean;
}

export interface WithProfiles {
  readonly input: unknown;
  readonly files: readonly string[];
  readonly problems: readonly Problem[];
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The result has the settings of the profile instead of `profile`. */
export async function fillInProfiles(value: unknown, from: ProfileFiles): Promise<WithProfiles> {
  const given = isFields(value) ? value.sources : undefined;
  const files: string[] = [];
  const problems: Problem[] = [];
  if (!Array.isArray(given)) return { input: value, files, problems };
  const sources: unknown[] = [];
  for (const [index, source] of given.entries()) {
    if (!isFields(source) || source.profile === undefined) {
      sources.push(source);
      continue;
    }
    const problem = (message: string) => problems.push({ path: `sources[${index}].profile`, message });
    sources.push(await withProfile(source, from, files, problem));
  }
  return { input: { ...(value as Fields), sources }, files, problems };
}

async function withProfile(
  { profile: asked, ...rest }: Fields,
  from: ProfileFiles,
  files: string[],
  problem: (message: string) => void,
): Promise<Fields> {
  const uses = profileSetting.safeParse(asked);
  if (!uses.success) {
    problem('must be the name of a built-in profile, a file, {use, at, prefix, only}, or a list of these');
    return rest;
  }
  let source: Fields = rest;
  const own = new Set(tagsOf(rest).map((tag) => tag.name));
  for (const use of [uses.data].flat() as readonly ProfileUse[]) {
    const name = typeof use === 'string' ? use : use.use;
    const profile = builtInProfile(name) ?? (await readProfile(name, from, files, problem));
    if (!profile) continue;
    const applied = applyProfile(source, use, profile, own);
    if (applied.problem !== undefined) problem(applied.problem);
    source = applied.source;
  }
  return source;
}

async function readProfile(
  name: string,
  { folder, read, isQuiet }: ProfileFiles,
  files: string[],
  problem: (message: string) => void,
): Promise<Profile | undefined> {
  if (!/[./]/.test(name)) {
    problem(
      `there is no profile '${name}'; built in are ${profileNames.join(', ')}; a file has a dot or a slash`,
    );
    return undefined;
  }
  if (folder === undefined && !isAbsolute(name)) {
    problem(`must be an absolute path, since the configuration is in no folder: ${name.slice(0, 100)}`);
    return undefined;
  }
  const file = isAbsolute(name) ? name : join(folder ?? '/', name);
  files.push(file);
  try {
    const parsed = readYaml(new TextDecoder('utf-8', { fatal: true }).decode(await read(file)), isQuiet);
    if ('problems' in parsed) {
      for (const each of parsed.problems) problem(`${name}: ${each.message}`);
      return undefined;
    }
    const result = parseProfile(parsed.value);
    if (result.success) return result.data;
    for (const raw of problemsOf(result.error, parsed.value)) {
      const { path, message } = toProblem(raw);
      problem(isQuiet ? `${name} is no profile` : `${name}, ${path}: ${message}`);
    }
  } catch (cause) {
    problem(`${name} cannot be read: ${describeError(cause)}`);
  }
  return undefined;
}
