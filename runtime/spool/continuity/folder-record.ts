// The store's own record of the folder that it belongs to.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Store } from '../engine/store.ts';
import { folderKey } from '../format/keys.ts';
import { openJson, type RecordCodec } from '../format/record.ts';

export interface FolderRecord {
  /** Id of the spool: made once, at its first start. */
  readonly id: string;
  /** The module whose readings the store holds, as the hub knows it: `device/module`. Absent where it was never known. */
  readonly owner?: string;
  /** Number of the start that wrote this. */
  readonly starts: number;
  /** Identity of the mark beside the store. */
  readonly mark?: string;
  /** Number of the start that the mark has on the disk, or a later one. Absent: that of the start before. */
  readonly markStart?: number;
  /** The last starts. */
  readonly runs?: readonly Run[];
  /** Withheld messages with a lower id are never claimed: see lanes/withheld.ts. */
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

/** The owner of the store, where that is known and none of `owners`. All of these are our names, the first is the present one. */
export async function foreignOwner(
  store: Store,
  codec: RecordCodec,
  owners: readonly string[],
): Promise<string | undefined> {
  if (owners.length === 0) return undefined;
  const owner = (await readFolderRecord(store, codec))?.owner;
  return typeof owner !== 'string' || owners.includes(owner) ? undefined : owner;
}
