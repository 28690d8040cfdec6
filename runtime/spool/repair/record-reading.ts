// Opens and decodes one record of a spool, or says, for people, what is wrong with it.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { KeySpace } from '../format/keys.ts';
import type { RecordCodec, RecordKind } from '../format/record.ts';

export interface Unreadable {
  readonly problem: string;
  /** `seal`: the envelope or its sum. `contents`: the sum is right, but the payload makes no sense. */
  readonly fault: 'seal' | 'contents';
}

export type Read<T> = { readonly value: T } | Unreadable;

/** Which kind of record a key space holds. */
export const kindOf: Readonly<Record<KeySpace, RecordKind>> = {
  m: 'S',
  s: 'S',
  n: 'N',
  j: 'J',
  r: 'M',
  a: 'A',
  i: 'I',
  l: 'L',
  u: 'P',
  b: 'P',
  q: 'Q',
  x: 'X',
  d: 'D',
  k: 'K',
  t: 'T',
  v: 'V',
};

export function readRecord<T>(
  codec: RecordCodec,
  kind: RecordKind,
  key: Uint8Array,
  value: Uint8Array,
  decode: (payload: Buffer) => T,
): Read<T> {
  const opened = attempt('seal', () => codec.open(kind, key, value));
  return 'problem' in opened ? opened : attempt('contents', () => decode(opened.value));
}

/** `r000000000012`: as messages of the module name a record. */
export function keyName(key: Uint8Array): string {
  const bytes = Buffer.from(key);
  const space = bytes.toString('latin1', 0, 1);
  const text = 'mskt'.includes(space) ? bytes.toString('utf8', 1) : bytes.toString('hex', 1);
  return `${space}:${text}`;
}

/** The result, or what was wrong in words for people. */
export function attempt<T>(fault: Unreadable['fault'], work: () => T): Read<T> {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const newer = error.code === 'spool-record-newer';
    const problem = newer
      ? 'written by a newer version of Holdfast'
      : error.message.replace(/^record \S+ of kind \S: /, '');
    return { problem, fault };
  }
}

export function parseObject(payload: Buffer): object {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null) {
    throw new HoldfastError('spool-record-damaged', 'it holds no JSON object');
  }
  return value;
}
