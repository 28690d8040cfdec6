// The store's own record of the folder that it belongs to.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Store } from '../engine/store.ts';
import { folderKey } from '../format/keys.ts';
import { openJson, type RecordCodec } from '../format/record.ts';

export interface FolderRecord {
  /** Of the spool: made up once, at its first start. */
  readonly id: string;
  /** Whose readings it holds: the module as the hub knows it, `device/module`. Absent where it was never known. */
  readonly owner?: string;
  /** Number of the start that wrote this. */
  readonly starts: number;
  /** Identity of the mark beside the store. */
  readonly mark?: string;
  /** The last starts. */
  readonly runs?: readonly Run[];
  /** What is withheld with a lower id is never claimed: see lanes/withheld.ts. */
  readonly deniedBelow?: number;
}

/** A start of the spool: its number, its own id, and how many batches there were when it began. */
export type Run = readonly [start: number, id: string, commits: number];

/** A store that is open, or the files of one. */
export interface Readable {
  get(key: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/** Undefined where there is none, or it is damaged. */
export async function readFolderRecord(
  store: Readable,
  codec: RecordCodec,
): Promise<FolderRecord | undefined> {
  const value = await store.get(folderKey);
  try {
    const record = value && (openJson(codec, 'S', folderKey, value) as Partial<FolderRecord>);
    const isWhole = typeof record?.id === 'string' && Number.isSafeInteger(record.starts);
    return isWhole ? (record as FolderRecord) : undefined;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return undefined;
  }
}

/** Whose the store is, where it is known to be nobody's of `owners`. All are ours, the first the present one. */
export async function foreignOwner(
  store: Store,
  codec: RecordCodec,
  owners: readonly string[],
): Promise<string | undefined> {
  if (owners.length === 0) return undefined;
  const owner = (await readFolderRecord(store, codec))?.owner;
  return typeof owner !== 'string' || owners.includes(owner) ? undefined : owner;
}
