// The state of an open engine, from one opening to the next.
import type { Files } from './files.ts';
import type { IndexStore } from './index-store.ts';
import type { KeySpaces } from './key-spaces.ts';
import type { EngineLimits } from './limits.ts';
import type { Memtable } from './memtable.ts';
import { isIdentity } from './segment-head.ts';
import type { ValueLog } from './value-log.ts';
import type { Wal } from './wal.ts';
import type { WalValues } from './wal-values.ts';

export interface EngineOptions {
  readonly index: IndexStore;
  readonly wal: Files;
  readonly values: Files;
  readonly spaces: KeySpaces;
  /** Limits that differ from `defaultLimits`. */
  readonly limits?: Partial<EngineLimits>;
  /** Identity of a new store: a UUID, which its index and each segment of its logs name from then on. Without one nothing tells foreign segments. */
  readonly identity?: string;
  /** Opens without the data that the disk does not return, even a whole file. Default false. */
  readonly skipUnreadable?: boolean;
}

export interface EngineState {
  readonly options: EngineOptions;
  readonly limits: EngineLimits;
  readonly identity: string | undefined;
  readonly memtable: Memtable;
  readonly wal: Wal;
  readonly valueLog: ValueLog;
  readonly walValues: WalValues;
  /** Sequence of the last batch in the log. */
  sequence: number;
  /** Up to there the log is on the disk. */
  durable: number;
}

/** The engine's own key in the index: the store's identity, as text. */
export const identityKey = Buffer.from('\0identity', 'latin1');

/** Not the caller's: keys of the engine in the index. */
export const isOwnKey = (key: Uint8Array): boolean =>
  key[0] === 0 && (durableKey.equals(key) || identityKey.equals(key));

/** Undefined where the store has none, or it is damaged. */
export function decodeIdentity(value: Uint8Array | undefined): string | undefined {
  const text = value === undefined ? '' : Buffer.from(value).toString('latin1');
  return isIdentity(text) ? text : undefined;
}

/** The engine's own key in the index: u48, a sequence up to which the log was on the disk when the index was written. */
export const durableKey = Buffer.from('\0durable', 'latin1');

export function encodeDurable(sequence: number): Buffer {
  const value = Buffer.allocUnsafe(6);
  value.writeUIntBE(sequence, 0, 6);
  return value;
}

/** 0 where the index knows of none. */
export function decodeDurable(value: Uint8Array | undefined): number {
  return value?.byteLength === 6 ? Buffer.from(value).readUIntBE(0, 6) : 0;
}
