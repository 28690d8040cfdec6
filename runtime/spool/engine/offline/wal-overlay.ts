// What the write-ahead log adds to the index: values of `wal` key spaces, and batches since the last checkpoint, of which
// the index may have some. Laid over the index this is what the module finds at its next start, after its replay. Pure.
import type { Checkpoint } from '../checkpoint.ts';
import type { KeySpaces } from '../key-spaces.ts';
import { lowerBound } from '../lower-bound.ts';
import { encodeValuePointer } from '../value-record.ts';
import { decodeOps } from '../wal-ops.ts';
import { type FiledRecord, lossesOf, readWal, type WalFile, wentBack } from '../wal-replay.ts';
import { walValuesOf } from '../wal-values.ts';

export interface NewerEntry {
  readonly key: Buffer;
  /** As the index will have it; undefined: deleted. */
  readonly value?: Buffer;
  /** The value itself, where the log has it: the segment to which `value` points need not have it yet. */
  readonly separated?: Buffer;
}

export interface WalOverlay {
  /** By key. */
  readonly entries: readonly NewerEntry[];
  /** For people: which part of the log the disk lost, compared with how far the index knows it was on the disk. */
  readonly losses: readonly string[];
  /** For people, where the index is older than the last checkpoint. */
  readonly wentBack?: string;
  readonly checkpoint?: Checkpoint;
  /** Batches since the last checkpoint: the next start replays them. */
  readonly toReplay: number;
}

/**
 * `durable`: of which batches the index knows. Values are views of the files, which are of bounded size: see
 * docs/LIMITS.md.
 */
export function walOverlayOf(files: readonly WalFile[], durable: number, spaces: KeySpaces): WalOverlay {
  const contents = readWal(files);
  const { values, missing } = walValuesOf(contents, spaces);
  const newer = new Map<string, NewerEntry>();
  for (const { key, pointer } of values.range()) {
    const name = contents.generations.get(pointer.generation);
    const file = files.find((each) => each.name === name)?.bytes;
    const value = file?.subarray(pointer.offset, pointer.offset + pointer.length);
    if (value !== undefined) newer.set(nameOf(key), { key, value });
  }
  const isOld = wentBack(contents, durable);
  // What an older index lacks stands in the log for a while yet.
  const { after, history, checkpoint } = contents;
  const forgotten =
    isOld === undefined
      ? []
      : history.filter(({ sequence }) => sequence > durable && sequence <= checkpoint!.applied);
  apply(newer, [...forgotten, ...after], spaces);
  return {
    entries: [...newer.values()].sort((a, b) => Buffer.compare(a.key, b.key)),
    losses: lossesOf(contents, missing, durable),
    ...(isOld === undefined ? {} : { wentBack: isOld }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    toReplay: after.filter(({ kind }) => kind === 'batch').length,
  };
}

function apply(newer: Map<string, NewerEntry>, records: readonly FiledRecord[], spaces: KeySpaces): void {
  for (const { kind, payload } of records) {
    if (kind !== 'batch') continue;
    for (const { op } of decodeOps(payload)) {
      const key = op.key as Buffer;
      const name = nameOf(key);
      // The values that count were found above. The index has none of them, so a deletion says nothing.
      if (spaces.placementOf(key) === 'wal' && op.type !== 'put-pointer') continue;
      if (op.type === 'put') newer.set(name, { key, value: op.value as Buffer });
      else if (op.type === 'del') newer.set(name, { key });
      else {
        const separated = op.value === undefined ? {} : { separated: op.value as Buffer };
        newer.set(name, { key, value: encodeValuePointer(key, op.pointer), ...separated });
      }
    }
  }
}

export function newerEntry({ entries }: WalOverlay, key: Uint8Array): NewerEntry | undefined {
  const entry = entries[lowerBound(entries, key)];
  return entry !== undefined && Buffer.compare(entry.key, key) === 0 ? entry : undefined;
}

const nameOf = (key: Buffer): string => key.toString('latin1');
