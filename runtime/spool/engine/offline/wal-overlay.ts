// What the commit log adds to the index: the journal, and batches since the last checkpoint, of which the index may
// have some. Laid over the index this is what the module finds at its next start, after its replay. Pure.

import { lowerBound } from '../lower-bound.ts';
import { encodePlace } from '../value-record.ts';
import { isJournalKey, journalOf, lossesOf, wentBack } from '../wal-contents.ts';
import { decodeOps } from '../wal-ops.ts';
import { type FiledRecord, type LogFile, readLogFiles } from '../wal-replay.ts';

export interface LateEntry {
  readonly key: Buffer;
  /** As the index will have it; undefined: deleted. */
  readonly value?: Buffer;
  /** The message itself, where the log carries it: the file that `value` names need not have it yet. */
  readonly body?: Buffer;
}

export interface LogOverlay {
  /** By key. */
  readonly entries: readonly LateEntry[];
  /** For people: what the medium lost of the log, given how far the index knows it to have been on the disk. */
  readonly losses: readonly string[];
  /** For people, where the index is older than the last checkpoint. */
  readonly wentBack?: string;
  /** Records since the last checkpoint: the module does them again when it starts. */
  readonly toBeDone: number;
}

/**
 * `durable`: of which batches the index knows. Values are views of the files, which are of bounded size: see
 * docs/LIMITS.md.
 */
export function overlayOf(files: readonly LogFile[], durable: number): LogOverlay {
  const contents = readLogFiles(files);
  const { places, missing } = journalOf(contents);
  const late = new Map<string, LateEntry>();
  for (const { key, place } of places.range(Buffer.of(0x6a), Buffer.of(0x6b))) {
    const name = contents.generations.get(place.generation);
    const file = files.find((each) => each.name === name)?.bytes;
    const value = file?.subarray(place.offset, place.offset + place.length);
    if (value !== undefined) late.set(nameOf(key), { key, value });
  }
  const isOld = wentBack(contents, durable);
  // What an older index lacks stands in the log for a while yet.
  const { after, history, checkpoint } = contents;
  const forgotten =
    isOld === undefined
      ? []
      : history.filter(({ sequence }) => sequence > durable && sequence <= checkpoint!.applied);
  layOver(late, [...forgotten, ...after]);
  return {
    entries: [...late.values()].sort((a, b) => Buffer.compare(a.key, b.key)),
    losses: lossesOf(contents, missing, durable),
    ...(isOld === undefined ? {} : { wentBack: isOld }),
    toBeDone: contents.after.filter(({ kind }) => kind === 'batch').length,
  };
}

function layOver(late: Map<string, LateEntry>, records: readonly FiledRecord[]): void {
  for (const { kind, payload } of records) {
    if (kind !== 'batch') continue;
    for (const { op } of decodeOps(payload)) {
      const key = op.key as Buffer;
      const name = nameOf(key);
      // What is left of the journal stands there already.
      if (isJournalKey(key) && op.type !== 'placed') {
        if (op.type === 'del' && late.get(name)?.value === undefined) late.set(name, { key });
      } else if (op.type === 'put') late.set(name, { key, value: op.value as Buffer });
      else if (op.type === 'del') late.set(name, { key });
      else {
        const body = op.value === undefined ? {} : { body: op.value as Buffer };
        late.set(name, { key, value: encodePlace(key, op.place), ...body });
      }
    }
  }
}

export function lateEntry(overlay: LogOverlay, key: Uint8Array): LateEntry | undefined {
  const entry = overlay.entries[lowerBound(overlay.entries, key)];
  return entry !== undefined && Buffer.compare(entry.key, key) === 0 ? entry : undefined;
}

const nameOf = (key: Buffer): string => key.toString('latin1');
