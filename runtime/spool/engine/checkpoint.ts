// The payload of a checkpoint's record: JSON. From there on a replay begins.
export interface Checkpoint {
  /** Every batch up to this sequence is in the index, on the disk. */
  readonly applied: number;
  /** Generations that are still needed, beside the one that holds this record and what comes after it. */
  readonly generations: readonly number[];
  /** Journal records that count: stream, first sequence, and the one after the last. */
  readonly journal: readonly (readonly [stream: number, from: number, to: number])[];
  /** Files of bodies: number, bytes used, values that are named, bytes of those. */
  readonly bodies: readonly (readonly [file: number, bytes: number, live: number, liveBytes: number])[];
  /** Present when nothing came after it that was not put in order: the store was closed. */
  readonly clean?: true;
}

export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  return Buffer.from(JSON.stringify(checkpoint));
}

/** Undefined when it is of another form: its sum was right, so a newer version wrote it. */
export function decodeCheckpoint(payload: Buffer): Checkpoint | undefined {
  let value: Partial<Checkpoint> | null;
  try {
    value = JSON.parse(payload.toString('utf8')) as Partial<Checkpoint> | null;
  } catch {
    return undefined;
  }
  const { applied, generations, journal, bodies } = value ?? {};
  const known =
    Number.isSafeInteger(applied) &&
    areNumbers([generations]) &&
    areNumbers(journal, 3) &&
    areNumbers(bodies, 4);
  return known ? (value as Checkpoint) : undefined;
}

/** A list of lists of numbers, each of that length. */
function areNumbers(lists: unknown, length?: number): boolean {
  return (
    Array.isArray(lists) &&
    lists.every(
      (list) =>
        Array.isArray(list) &&
        (length === undefined || list.length === length) &&
        list.every((each) => Number.isSafeInteger(each)),
    )
  );
}
