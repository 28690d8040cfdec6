// What the files of the commit log say, taken together: pure, so that the module, `holdfast spool` and the salvage
// read the same out of the same bytes.
//
// Records are put in the order of their sequence. Not counted are:
// - those of an earlier use of a file: their generation is neither one that the last checkpoint names nor a later one;
// - those that an earlier start left behind as torn: a record of a later generation stands before them.
//
// Where sequences have a hole, either the power went while the last ones were on their way to the disk, which
// promised nothing; or the medium lost what was durable. A writer that was told "synced" and then wrote on is
// the proof of the latter: so what follows a hole counts if it holds a synced record with another one behind
// it, and is reported as damage. Otherwise the log ends at the hole.
import { type Checkpoint, decodeCheckpoint } from './checkpoint.ts';
import { type LogRecord, recordsIn } from './wal-record.ts';

export interface LogFile {
  readonly name: string;
  readonly bytes: Buffer;
}

export interface FiledRecord extends LogRecord {
  readonly name: string;
}

export interface LogContents {
  readonly checkpoint?: Checkpoint;
  /** That count for the journal alone: what else they did is in the index. In order. */
  readonly before: readonly FiledRecord[];
  /** To be done again, in order. */
  readonly after: readonly FiledRecord[];
  /** All that stands in the files, in order, of earlier uses too: for an index that is older than the checkpoint. */
  readonly history: readonly FiledRecord[];
  readonly lastSequence: number;
  readonly lastGeneration: number;
  /** Files by generation: a file has one. */
  readonly generations: ReadonlyMap<number, string>;
  /** For people: what the medium lost. */
  readonly damage?: string;
  /** The store was closed, and nothing came after. */
  readonly clean: boolean;
}

export function readLogFiles(files: readonly LogFile[]): LogContents {
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
  return lost === 0 ? {} : { damage: `${lost} records of the commit log cannot be read` };
}
