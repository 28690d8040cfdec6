// The payload of a checkpoint's record: JSON. A replay begins there.
export interface Checkpoint {
  /** Every batch up to this sequence is in the index and in the value log, on the disk. */
  readonly applied: number;
  /** Generations of the log that are still needed, beside the one that holds this record. */
  readonly generations: readonly number[];
  /** Values of `wal` key spaces that count: group in hex, first counter, and the one after the last. */
  readonly retained: readonly (readonly [group: string, from: number, to: number])[];
  /** Segments of the value log: number, bytes used, values that are referenced, bytes of those. */
  readonly values: readonly (readonly [segment: number, bytes: number, live: number, liveBytes: number])[];
  /** Present when the store was closed: nothing is to be replayed unless a record follows. */
  readonly clean?: true;
}

export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  return Buffer.from(JSON.stringify(checkpoint));
}

/** Undefined when the form is unknown: the checksum was right, so a newer version wrote it. */
export function decodeCheckpoint(payload: Buffer): Checkpoint | undefined {
  let value: Partial<Checkpoint> | null;
  try {
    value = JSON.parse(payload.toString('utf8')) as Partial<Checkpoint> | null;
  } catch {
    return undefined;
  }
  const { applied, generations, retained, values } = value ?? {};
  const known =
    isCount(applied) &&
    Array.isArray(generations) &&
    generations.every(isCount) &&
    areRows(retained, [isGroup, isCount, isCount]) &&
    areRows(values, [isCount, isCount, isCount, isCount]);
  return known ? (value as Checkpoint) : undefined;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value);
const isGroup = (value: unknown): boolean => typeof value === 'string' && /^(?:[0-9a-f]{2})+$/.test(value);

function areRows(rows: unknown, columns: readonly ((value: unknown) => boolean)[]): boolean {
  const isRow = (row: unknown) =>
    Array.isArray(row) && row.length === columns.length && columns.every((check, n) => check(row[n]));
  return Array.isArray(rows) && rows.every(isRow);
}
