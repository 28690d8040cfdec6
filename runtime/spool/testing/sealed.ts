// Keys and codecs for tests.
import { createHash } from 'node:crypto';
import { type MasterKey, toMasterKey } from '../encryption/master-key.ts';
import { createSealedCodec } from '../encryption/sealed-codec.ts';
import type { RecordCodec } from '../format/record.ts';

/** 32 bytes that nobody has to keep secret. */
export const keyBytes = (name: string): Buffer => createHash('sha256').update(`test key ${name}`).digest();

export const testKey = (name: string): MasterKey => toMasterKey(keyBytes(name));

/** Seals with the first key and opens with all. */
export function sealedWith(name: string, ...previous: readonly string[]): RecordCodec {
  return createSealedCodec({ current: testKey(name), previous: previous.map(testKey) });
}

/** Opens, and writes plain. */
export function plainAfter(...previous: readonly string[]): RecordCodec {
  return createSealedCodec({ previous: previous.map(testKey) });
}
