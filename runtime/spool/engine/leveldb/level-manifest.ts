// Reads LevelDB's MANIFEST: which tables are in use, and from which log on nothing is in them yet
// (leveldb/db/version_edit.cc).
import { BadBytesError, ByteReader } from './byte-reader.ts';

export interface TableFacts {
  readonly number: number;
  readonly bytes: number;
  /** User keys. */
  readonly smallest: Buffer;
  readonly largest: Buffer;
}

export interface Manifest {
  readonly tables: ReadonlyMap<number, TableFacts>;
  /** Logs with this number or a higher one hold writes that are in no table. */
  readonly logNumber: number;
  readonly previousLogNumber: number;
}

const needed = [
  [2, 'log'],
  [3, 'next file'],
  [4, 'last sequence'],
] as const;

/** Applies all edits in order. @throws BadBytesError */
export function readManifest(records: readonly Buffer[]): Manifest {
  const tables = new Map<number, TableFacts>();
  const numbers = { log: 0, previous: 0 };
  if (records.length === 0) throw new BadBytesError('it is empty');
  const seen = new Set<number>();
  for (const record of records) applyEdit(new ByteReader(record), tables, numbers, seen);
  // Without one of them LevelDB does not open: the first entry names the tables, only a later one these.
  for (const [tag, name] of needed)
    if (!seen.has(tag)) throw new BadBytesError(`its last entries are missing: none says the ${name}`);
  return { tables, logNumber: numbers.log, previousLogNumber: numbers.previous };
}

function applyEdit(
  reader: ByteReader,
  tables: Map<number, TableFacts>,
  numbers: { log: number; previous: number },
  seen: Set<number>,
): void {
  // Of one edit LevelDB applies deletions first, wherever they stand.
  const added: TableFacts[] = [];
  while (!reader.done) {
    const tag = reader.varint();
    seen.add(tag);
    if (tag === 1) reader.prefixed();
    else if (tag === 2) numbers.log = reader.varint();
    else if (tag === 3 || tag === 4) reader.varint();
    else if (tag === 5) {
      reader.varint();
      reader.prefixed();
    } else if (tag === 6) {
      reader.varint();
      tables.delete(reader.varint());
    } else if (tag === 7) added.push(readTable(reader));
    else if (tag === 9) numbers.previous = reader.varint();
    else throw new BadBytesError(`it holds an unknown entry (${tag})`);
  }
  for (const table of added) tables.set(table.number, table);
}

function readTable(reader: ByteReader): TableFacts {
  reader.varint();
  const number = reader.varint();
  const bytes = reader.varint();
  return { number, bytes, smallest: userKey(reader.prefixed()), largest: userKey(reader.prefixed()) };
}

function userKey(internal: Buffer): Buffer {
  if (internal.byteLength < 8) throw new BadBytesError('a key is too short');
  return Buffer.from(internal.subarray(0, internal.byteLength - 8));
}
