// Where a key comes from: a file, the environment, or wrapped by IoT Edge. Nothing here ever shows a part of one.
import { stat } from 'node:fs/promises';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import { readNamedFile } from '../../../kernel/small-file.ts';
import type { KeySource } from './config.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import { type MasterKey, parseMasterKey } from './master-key.ts';
import { createWrappedKey, unwrapKeys } from './wrapped-keys.ts';

export interface KeyPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The spool's folder `keys`. */
  readonly folder: string;
  readonly wrapper: KeyWrapper;
  /** Wall clock, epoch ms. */
  readonly now: () => number;
  readonly warn: Log['warn'];
}

const maxFileBytes = 4096;

export interface ReadOptions {
  /** Makes a workload key where there is none that can be used. */
  readonly create: boolean;
  /** This is the last try: a key that is refused now counts as missing. */
  readonly final: boolean;
}

/**
 * The keys of one source: only the workload's may be several, the one to seal with first.
 * @throws HoldfastError `spool-key-missing`, `spool-key-invalid`, and what the wrapper throws.
 */
export async function readKeys(
  source: KeySource,
  places: KeyPlaces,
  { create, final }: ReadOptions,
): Promise<readonly MasterKey[]> {
  if (source.file !== undefined) return [await readKeyFile(source.file, places.warn)];
  if (source.env !== undefined) return [readVariable(source.env, places.environment)];
  const { keys, problems } = await unwrapKeys(places.folder, places.wrapper, final);
  for (const problem of problems)
    places.warn(
      { code: 'spool-key-missing' },
      `IoT Edge cannot unwrap a key in ${places.folder}: ${problem}`,
    );
  if (keys.length > 0 || !create) return keys;
  return [await createWrappedKey(places.folder, places.wrapper, places.now())];
}

/** As people know it. */
export function nameSource(source: KeySource): string {
  if (source.file !== undefined) return `key file ${source.file}`;
  return source.env !== undefined ? `variable ${source.env}` : "IoT Edge's workload API";
}

async function readKeyFile(path: string, warn: KeyPlaces['warn']): Promise<MasterKey> {
  let content: Buffer | undefined;
  try {
    content = await readNamedFile(path, maxFileBytes);
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      const bits = (mode & 0o777).toString(8).padStart(4, '0');
      warn(
        { code: 'spool-key-exposed' },
        `key file ${path} can be read by others (mode ${bits}): chmod 0400 ${path}`,
      );
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = error instanceof HoldfastError ? message : (code ?? 'unknown error');
    throw new HoldfastError('spool-key-missing', `key file ${path} cannot be read (${why})`, {
      retryable: true,
    });
  }
  try {
    const bytes = content;
    return named(`key file ${path}`, () => parseMasterKey(bytes));
  } finally {
    content.fill(0);
  }
}

function readVariable(name: string, environment: KeyPlaces['environment']): MasterKey {
  const text = environment[name];
  if (!text) throw new HoldfastError('spool-key-missing', `variable ${name} is not set`);
  return named(`variable ${name}`, () => parseMasterKey(Buffer.from(text, 'latin1')));
}

function named(source: string, parse: () => MasterKey): MasterKey {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, `${source} holds no key: ${error.message}`);
  }
}
