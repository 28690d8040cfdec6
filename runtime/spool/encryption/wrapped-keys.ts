// Data keys that a key service wrapped, in the spool's folder `keys`: `<id>.json`, and the same again as `<id>.copy.json`.
//
// A file is complete and on the disk before anything is sealed with its key, and is never removed: a store that was
// quarantined years ago may still need it. Without the key service it says nothing.
import { randomFillSync } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import { displace, kindOf, readSmallFile, replaceFile } from '../../../kernel/small-file.ts';
import { makeFolder, syncFolder } from '../engine/disk.ts';
import { nonceBytes } from '../format/sealed-envelope.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import { type MasterKey, masterKeyBytes, toMasterKey } from './master-key.ts';

interface WrappedKey {
  readonly holdfast: 'spool-key';
  readonly id: string;
  /** Base64. */
  readonly vector: string;
  readonly wrapped: string;
  /** Wall clock, epoch ms. */
  readonly createdAt: number;
}

export interface UnwrappedKeys {
  /** Newest first. */
  readonly keys: readonly MasterKey[];
  /** Keys that the key service cannot unwrap, and files that make no sense: why, for people. */
  readonly problems: readonly string[];
}

// Each is one start with a key that was lost; more were never seen.
const maxKeys = 100;
const maxFileBytes = 64 * 1024;

/**
 * `final`: what the key service refuses now counts as refused for good.
 * @throws HoldfastError (retryable) when the key service does not answer, or may think otherwise later.
 */
export async function unwrapKeys(
  folder: string,
  wrapper: KeyWrapper,
  final: boolean,
): Promise<UnwrappedKeys> {
  const { files, problems } = await readFiles(folder);
  const keys: MasterKey[] = [];
  for (const file of files) {
    const key = await unwrapKey(file, wrapper);
    if ('id' in key) keys.push(key);
    else if (key.mayPass && !final) {
      throw new HoldfastError('spool-key-missing', `key ${file.id}: ${key.refused}`, { retryable: true });
    } else problems.push(`key ${file.id}: ${key.refused}`);
  }
  return { keys, problems };
}

async function unwrapKey(
  file: WrappedKey,
  wrapper: KeyWrapper,
): Promise<MasterKey | { readonly refused: string; readonly mayPass: boolean }> {
  const vector = Buffer.from(file.vector, 'base64');
  const unwrapped = await wrapper.unwrap(Buffer.from(file.wrapped, 'base64'), vector);
  if ('refused' in unwrapped) return unwrapped;
  const other = { refused: 'it unwraps to another key', mayPass: false };
  if (unwrapped.secret.byteLength !== masterKeyBytes) return other;
  const key = toMasterKey(unwrapped.secret);
  return key.id === file.id ? key : other;
}

/** Makes a key, and keeps it wrapped in `folder`. On the disk once this resolves. */
export async function createWrappedKey(folder: string, wrapper: KeyWrapper, now: number): Promise<MasterKey> {
  const secret = randomFillSync(Buffer.alloc(masterKeyBytes));
  const vector = randomFillSync(Buffer.alloc(nonceBytes));
  const wrapped = await wrapper.wrap(secret, vector);
  const key = toMasterKey(secret);
  const file: WrappedKey = {
    holdfast: 'spool-key',
    id: key.id,
    vector: vector.toString('base64'),
    wrapped: wrapped.toString('base64'),
    createdAt: now,
  };
  // Better to learn it now than at the next start.
  const back = await unwrapKey(file, wrapper);
  if ('refused' in back) {
    throw new HoldfastError('spool-key-missing', `a key just wrapped does not come back: ${back.refused}`);
  }
  await makeFolder(folder);
  for (const name of [`${key.id}.copy.json`, `${key.id}.json`]) await writeWhole(folder, name, file);
  return key;
}

async function writeWhole(folder: string, name: string, content: WrappedKey): Promise<void> {
  await replaceFile(join(folder, name), `${JSON.stringify(content)}\n`, { sync: true });
  await syncFolder(folder);
}

async function readFiles(folder: string): Promise<{ files: WrappedKey[]; problems: string[] }> {
  const kind = await kindOf(folder);
  if (kind !== 'folder' && kind !== 'missing') await displace(folder);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new HoldfastError('spool-key-missing', `${folder} cannot be read (${error.code})`, {
      retryable: true,
    });
  });
  const byId = new Map<string, WrappedKey>();
  const problems: string[] = [];
  for (const name of names.toSorted()) {
    if (!name.endsWith('.json') || byId.size >= maxKeys) continue;
    const file = await readWrapped(join(folder, name));
    if (file === undefined) problems.push(`${name} is damaged`);
    else byId.set(file.id, file);
  }
  return { files: [...byId.values()].sort((a, b) => b.createdAt - a.createdAt), problems };
}

/** Names of files in `folder` that hold no wrapped key. Nothing is changed. */
export async function damagedKeyFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  const damaged: string[] = [];
  for (const name of names.toSorted())
    if (name.endsWith('.json') && (await readWrapped(join(folder, name))) === undefined) damaged.push(name);
  return damaged;
}

async function readWrapped(path: string): Promise<WrappedKey | undefined> {
  try {
    const bytes = await readSmallFile(path, maxFileBytes);
    const file = JSON.parse(bytes?.toString('utf8') ?? '') as Partial<WrappedKey>;
    const { id, vector, wrapped, createdAt } = file;
    const isText = [id, vector, wrapped].every((text) => typeof text === 'string');
    return file.holdfast === 'spool-key' && isText && typeof createdAt === 'number'
      ? (file as WrappedKey)
      : undefined;
  } catch {
    return undefined;
  }
}
