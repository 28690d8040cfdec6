// Reads the segments of the write-ahead log together. A pure function, so that the module, `holdfast spool` and the salvage
// get the same from the same bytes.
//
// Records are put in the order of their sequence. Two kinds do not count:
// - records of an earlier use of a segment: their generation is neither named by the last checkpoint nor a later one;
// - records behind a torn end that an earlier start found: a record of a later generation precedes them.
//
// Sequences may have a hole for two reasons. Either the power went while the last records were on their way to the disk:
// nothing had been promised of them, and the log ends at the hole. Or the disk lost what was durable. A writer that
// waited for the disk and then wrote on proves the latter: if a synced record with another record after it follows
// the hole, the hole is damage, which is reported, and what follows it counts.
import { type Checkpoint, decodeCheckpoint } from './checkpoint.ts';
import { type LogRecord, recordsIn } from './wal-record.ts';

export interface WalFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface FiledRecord extends LogRecord {
  readonly name: string;
}

export interface WalContents {
  readonly checkpoint?: Checkpoint;
  /** Up to the checkpoint. Only values of `wal` key spaces are still needed from them. In order. */
  readonly before: readonly FiledRecord[];
  /** To be replayed, in order. */
  readonly after: readonly FiledRecord[];
  /** All records in the files, of earlier uses too, in order: for an index that is older than the checkpoint. */
  readonly history: readonly FiledRecord[];
  readonly lastSequence: number;
  readonly lastGeneration: number;
  /** The segment of each generation. */
  readonly generations: ReadonlyMap<number, string>;
  /** For people: what the disk lost. */
  readonly damage?: string;
  /** The store was closed, and nothing was written after that. */
  readonly clean: boolean;
}

export function readWal(files: readonly WalFile[]): WalContents {
  const found = files.flatMap(({ name, bytes }) => [...recordsIn(bytes)].map((each) => ({ ...each, name })));
  const last = found
    .filter(({ kind, payload }) => kind === 'checkpoint' && decodeCheckpoint(payload) !== undefined)
    .reduce<FiledRecord | undefined>((best, each) => (isLater(each, best) ? each : best), undefined);
  const checkpoint = last === undefined ? undefined : decodeCheckpoint(last.payload);
  const ordered = inOrder(found.filter((record) => isOfThisUse(record, last, checkpoint)));
  const applied = checkpoint?.applied ?? 0;
  const before = ordered.filter(({ sequence }) => sequence <= applied);
  const { after, damage } = upToTheEnd(
    ordered.filter(({ sequence }) => sequence > applied),
    applied + 1,
  );
  const end = after.at(-1) ?? before.at(-1);
  return {
    ...(checkpoint === undefined ? {} : { checkpoint }),
    before,
    after,
    history: inOrder(found),
    lastSequence: end?.sequence ?? 0,
    lastGeneration: found.reduce((highest, { generation }) => Math.max(highest, generation), 0),
    generations: new Map(ordered.map(({ generation, name }) => [generation, name])),
    ...(damage === undefined ? {} : { damage }),
    clean: checkpoint?.clean === true && end?.sequence === last?.sequence,
  };
}

function isLater(record: FiledRecord, than: FiledRecord | undefined): boolean {
  if (than === undefined) return true;
  if (record.generation !== than.generation) return record.generation > than.generation;
  return record.sequence > than.sequence;
}

function isOfThisUse(
  record: FiledRecord,
  last: FiledRecord | undefined,
  checkpoint: Checkpoint | undefined,
): boolean {
  if (last === undefined || checkpoint === undefined) return true;
  return record.generation >= last.generation || checkpoint.generations.includes(record.generation);
}

function inOrder(records: readonly FiledRecord[]): readonly FiledRecord[] {
  const sorted = records.toSorted((a, b) => a.sequence - b.sequence || b.generation - a.generation);
  const kept: FiledRecord[] = [];
  let generation = 0;
  for (const record of sorted) {
    if (record.generation < generation || record.sequence === kept.at(-1)?.sequence) continue;
    generation = record.generation;
    kept.push(record);
  }
  return kept;
}

function upToTheEnd(
  records: readonly FiledRecord[],
  first: number,
): { after: readonly FiledRecord[]; damage?: string } {
  let expected = first;
  let lost = 0;
  for (const [at, { sequence }] of records.entries()) {
    if (sequence !== expected) {
      if (!provesDamage(records.slice(at))) return { after: records.slice(0, at), ...told(lost) };
      lost += sequence - expected;
    }
    expected = sequence + 1;
  }
  return { after: records, ...told(lost) };
}

function provesDamage(rest: readonly FiledRecord[]): boolean {
  return rest.slice(0, -1).some(({ synced }) => synced);
}

function told(lost: number): { damage?: string } {
  return lost === 0 ? {} : { damage: `${lost} records of the write-ahead log cannot be read` };
}

/**
 * For people, where the index is older than the last checkpoint, which was written only when the index was on the disk,
 * with a `durable` at least as high. All sums in such an index are right: only this shows it.
 */
export function wentBack({ checkpoint }: WalContents, durable: number): string | undefined {
  if (checkpoint === undefined || durable >= checkpoint.applied) return undefined;
  return `the index went back: of ${checkpoint.applied} batches that it held it knows ${durable}`;
}

/**
 * For people: what the disk lost of the log. `missing`: values that only the log had. `durable`: up to there the index knows
 * that the log was on the disk.
 */
export function lossesOf(contents: WalContents, missing: number, durable: number): readonly string[] {
  return [
    ...(contents.damage === undefined ? [] : [contents.damage]),
    ...(missing > 0 ? [`${missing} values are missing from the write-ahead log`] : []),
    ...(contents.lastSequence < durable ? ['the end of the write-ahead log is missing'] : []),
  ];
}
