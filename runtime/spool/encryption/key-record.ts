// Which keys a store needs: its record `mkeys`, never sealed. Written, synced, before the first record is sealed with
// a key; so a start knows from one small record whether it was given all keys.
//
// A key that is listed and not given may be out of use by then. So before a store is quarantined for want of it,
// the store is looked through for a record that really takes it.
import { HoldfastError } from '../../../kernel/errors.ts';
import { pagesOf } from '../engine/pages.ts';
import type { BatchOp, Store } from '../engine/store.ts';
import { stateKey, textKey } from '../format/keys.ts';
import { openJson, plainCodec, type RecordCodec, sealJson } from '../format/record.ts';
import { keyIdOf } from '../format/sealed-envelope.ts';

/** A key's id, or `plain` for records that are not sealed. */
export type KeyName = string;
export const plain: KeyName = 'plain';

export interface FormerKey {
  readonly key: KeyName;
  /** Messages below this id may take it; null until the start that changed keys has got that far. */
  readonly below: number | null;
}

export interface KeyRecord {
  readonly writing: KeyName;
  readonly former: readonly FormerKey[];
}

export const recordKey = textKey('m', 'keys');
const pageEntries = 1000;
const pageBytes = 4 * 1024 * 1024;

export async function readKeyRecord(store: Store): Promise<KeyRecord | undefined> {
  const value = await store.get(recordKey);
  try {
    const record =
      value && (openJson(plainCodec, 'S', recordKey, value) as { writing?: unknown; former?: unknown });
    if (typeof record?.writing === 'string' && Array.isArray(record.former)) return record as KeyRecord;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
  }
  // Missing or damaged: the record that is written with every batch tells what was written with last.
  const state = await store.get(stateKey);
  const keyId = state === undefined ? undefined : keyIdOf(state);
  return keyId === undefined ? undefined : { writing: keyId, former: [{ key: plain, below: null }] };
}

export function keyRecordOp(record: KeyRecord): BatchOp {
  return { type: 'put', key: recordKey, value: sealJson(plainCodec, 'S', recordKey, record) };
}

/** Keys that records in the store take and that the codec does not hold. */
export async function missingKeys(store: Store, codec: RecordCodec): Promise<readonly string[]> {
  const record = await readKeyRecord(store);
  if (record === undefined) return [];
  const listed = [record.writing, ...record.former.map(({ key }) => key)];
  const unknown = new Set(listed.filter((key) => key !== plain && codec.holdsKey?.(key) !== true));
  return unknown.size === 0 ? [] : [...(await findInUse(store, unknown))];
}

/** The store is about to be written with the codec. Call after `missingKeys` found none. */
export async function noteKey(store: Store, codec: RecordCodec): Promise<void> {
  const record = await readKeyRecord(store);
  const writing = codec.keyId ?? plain;
  const before = record ?? { writing: plain, former: [] };
  const kept = before.former.filter(({ key }) => key !== writing && isKnown(codec, key));
  const isStale = kept.length < before.former.length;
  if (before.writing === writing && !isStale) return;
  const left =
    before.writing === writing || !isKnown(codec, before.writing) || (await isEmpty(store))
      ? []
      : [{ key: before.writing, below: null }];
  await store.batch([keyRecordOp({ writing, former: [...kept, ...left] })], { sync: true });
}

function isKnown(codec: RecordCodec, key: KeyName): boolean {
  return key === plain || codec.holdsKey?.(key) === true;
}

async function isEmpty(store: Store): Promise<boolean> {
  const found = await store.range({ gte: Buffer.of(0), lt: Buffer.of(255), limit: 1, keysOnly: true });
  return found.length === 0;
}

async function findInUse(store: Store, keys: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const all = { gte: Buffer.of(0), lt: Buffer.of(255), limit: pageEntries, maxBytes: pageBytes };
  for await (const page of pagesOf(store, all)) {
    for (const { value } of page) {
      const keyId = keyIdOf(value);
      if (keyId !== undefined && keys.has(keyId)) found.add(keyId);
    }
    if (found.size === keys.size) break;
  }
  return found;
}
