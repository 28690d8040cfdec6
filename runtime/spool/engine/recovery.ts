// Recovery at opening: brings the write-ahead log, the value log and the index into agreement.
//
// After a clean close the last checkpoint has everything, and nothing is read through; but the process may have been killed
// before that checkpoint was on the disk, which the file does not show. Otherwise what the log holds since
// its last checkpoint is replayed, and the references to the value log are counted again from the index: the counts
// of the checkpoint are as old as it is, and after damage to the log a wrong count would be carried on for good.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Files } from './files.ts';
import { defaultLimits, maxValueSegmentBytes, maxWalSegmentBytes } from './limits.ts';
import { Memtable } from './memtable.ts';
import { pagesOf } from './pages.ts';
import { readAround } from './read-around.ts';
import { isIdentity, mostNamed, segmentIdentity } from './segment-head.ts';
import {
  decodeDurable,
  decodeIdentity,
  durableKey,
  type EngineOptions,
  type EngineState,
  identityKey,
} from './state.ts';
import { cutSince, cutText, writtenSince } from './value-checks.ts';
import { ValueLog, valueSegmentName, valueSegmentNumber } from './value-log.ts';
import { decodeValuePointer, valueRecordsIn } from './value-record.ts';
import { isWalSegment, Wal } from './wal.ts';
import { decodeOps } from './wal-ops.ts';
import { lossesOf, readWal, type WalContents, type WalFile, wentBack } from './wal-replay.ts';
import { walValuesOf } from './wal-values.ts';
import { EngineWriter } from './writer.ts';

const pageEntries = 2000;

export interface Recovered {
  readonly state: EngineState;
  readonly writer: EngineWriter;
  /** For people: what the disk lost of the logs. */
  readonly problem?: string;
}

/**
 * `rotate`: a write failed, so what stands last in a segment of the value log may not be what was written.
 * @throws HoldfastError `store-damaged` when the index went back, or the log lost records and there are values without a
 * pointer.
 */
export async function recover(options: EngineOptions, rotate: boolean): Promise<Recovered> {
  const found = await readLog(options);
  const { contents, durable, sizesBefore } = found;
  const { state, missing } = stateFrom(options, found);
  const { valueLog } = state;
  const writer = new EngineWriter(state, contents.clean);
  const cut = cutSince(contents, sizesBefore);
  await makeDurable(options.wal, found);
  for (const { kind, payload } of contents.after) {
    if (kind === 'batch') await writer.replay([...decodeOps(payload)].map(({ op }) => op));
  }
  const sizes = await valueSegments(options.values);
  if (contents.clean) valueLog.restore(contents.checkpoint?.values ?? [], sizes);
  else await countReferences(options, valueLog, sizes);
  const gone = missingSegments(valueLog, sizes);
  const problems = [
    ...lossesOf(contents, missing, durable),
    ...[...found.unreadable].map(([name, bytes]) => `${bytes} bytes of ${name} cannot be read`),
    ...(gone.length > 0
      ? gone
      : cut.filter(({ segment }) => valueLog.isNeeded(segment)).map(({ text }) => text)),
  ];
  if (problems.length > 0) await assertNothingUnreferenced(options, writtenSince(contents, sizes), problems);
  await removeOrphans(options.values, valueLog, sizes);
  if (rotate || !(await valueLog.canWrite())) valueLog.rotate();
  // Nothing is written on top of a replay before its result is on the disk: the records that it came from may not be.
  const isNew = state.sequence === 0 && sizes.size === 0;
  if (!contents.clean && !isNew) {
    valueLog.findUnreferenced(state.sequence);
    await writer.checkpoint();
  }
  return { state, writer, ...(problems.length === 0 ? {} : { problem: problems.join('; ') }) };
}

interface FoundLog {
  readonly contents: WalContents;
  readonly files: readonly WalFile[];
  readonly listed: readonly { name: string; bytes: number }[];
  /** Segments of the log of which the disk does not return so many bytes. */
  readonly unreadable: ReadonlyMap<string, number>;
  /** Up to there the index knows the log to have been on the disk. */
  readonly durable: number;
  /** Identity of the store; undefined where it was begun without one. */
  readonly identity: string | undefined;
  /** Sizes of the value log's segments, before a replay lengthens them. */
  readonly sizesBefore: ReadonlyMap<number, number>;
}

async function readLog(options: EngineOptions): Promise<FoundLog> {
  const { index, wal, values, skipUnreadable = false } = options;
  const listed = (await wal.list()).filter(({ name }) => isWalSegment(name));
  const files: WalFile[] = [];
  const unreadable = new Map<string, number>();
  for (const { name, bytes: size } of listed) {
    const length = Math.min(size, maxWalSegmentBytes);
    const { bytes, missing } = await readAround(wal, name, length, skipUnreadable);
    files.push({ name, bytes });
    if (missing > 0) unreadable.set(name, missing);
  }
  const contents = readWal(files);
  const durable = decodeDurable(await index.get(durableKey));
  const isOld = wentBack(contents, durable);
  if (isOld !== undefined) throw new HoldfastError('store-damaged', isOld, { retryable: true });
  const sizesBefore = await valueSegments(values);
  const isNew = listed.length === 0 && sizesBefore.size === 0 && durable === 0;
  const identity = await identityOf(options, files, isNew);
  return { contents, files, listed, unreadable, durable, identity, sizesBefore };
}

/**
 * The index names it. Where it does not, as after a power cut at the first start, the log does.
 * @throws HoldfastError `store-damaged` where a segment of the log is another store's.
 */
async function identityOf(
  { index, identity: given }: EngineOptions,
  files: readonly WalFile[],
  isNew: boolean,
): Promise<string | undefined> {
  const named = files.flatMap(({ name, bytes }) => {
    const identity = segmentIdentity(bytes);
    return identity === undefined ? [] : [{ name, identity }];
  });
  const known = decodeIdentity(await index.get(identityKey));
  const identity = known ?? (isNew ? validOf(given) : mostNamed(named.map((each) => each.identity)));
  const foreign = named.find((each) => each.identity !== identity);
  if (foreign !== undefined) {
    const text = `${foreign.name} belongs to the store ${foreign.identity}, this is ${identity}`;
    throw new HoldfastError('store-damaged', text, { retryable: true });
  }
  if (known === undefined && identity !== undefined) {
    const value = Buffer.from(identity, 'latin1');
    await index.batch([{ type: 'put', key: identityKey, value }], { sync: false });
  }
  return identity;
}

const validOf = (given: string | undefined) => (given !== undefined && isIdentity(given) ? given : undefined);

function stateFrom(options: EngineOptions, found: FoundLog): { state: EngineState; missing: number } {
  const { contents, durable, identity, listed, unreadable } = found;
  const limits = { ...defaultLimits, ...options.limits };
  const { values: walValues, missing } = walValuesOf(contents, options.spaces);
  const wal = new Wal(options.wal, limits, identity);
  const { generations: inUse, lastGeneration } = contents;
  wal.adopt({ inUse, lastGeneration, all: listed, bad: new Set(unreadable.keys()) });
  const sequence = Math.max(contents.lastSequence, durable);
  const state = {
    options,
    limits,
    identity,
    memtable: new Memtable(options.index, options.spaces),
    wal,
    valueLog: new ValueLog(options.values, limits, identity),
    walValues,
    sequence,
    durable: sequence,
  };
  return { state, missing };
}

/**
 * Nothing is replayed, and no checkpoint taken for the last word, that a power cut may still take from the log. After a failed sync the operating system may count
 * what it could not write as written: it can be read, and no later sync brings it to the disk. So the newest segment,
 * the only one that was not synced before the next was begun, is written once more where it stands. (Writing over a
 * segment that cannot be read may fail as well. The checkpoint at the end of the recovery puts all of it on the disk.)
 */
async function makeDurable(wal: Files, { contents, files, unreadable }: FoundLog): Promise<void> {
  const sound = files.filter(({ name }) => !unreadable.has(name));
  const { generations } = contents;
  const newest = generations.get(Math.max(0, ...generations.keys()));
  const bytes = sound.find(({ name }) => name === newest)?.bytes;
  const ends = [...contents.before, ...contents.after]
    .filter(({ name }) => name === newest)
    .map(({ offset, payload }) => offset + payload.byteLength);
  const end = ends.reduce((a, b) => Math.max(a, b), 0);
  if (newest !== undefined && bytes !== undefined) await wal.write(newest, 0, [bytes.subarray(0, end)]);
  for (const name of new Set(generations.values())) {
    if (sound.some((file) => file.name === name)) await wal.sync(name);
  }
}

/** Sizes by number. */
async function valueSegments(files: Files): Promise<ReadonlyMap<number, number>> {
  const found = new Map<number, number>();
  for (const { name, bytes } of await files.list()) {
    const segment = valueSegmentNumber(name);
    if (segment !== undefined) found.set(segment, bytes);
  }
  return found;
}

async function countReferences(
  { index, spaces }: EngineOptions,
  valueLog: ValueLog,
  sizes: ReadonlyMap<number, number>,
): Promise<void> {
  for (const [segment, bytes] of sizes) valueLog.add(segment, bytes);
  for (const { gte, lt } of spaces.valueLogRanges()) {
    for await (const page of pagesOf(index, { gte, lt, limit: pageEntries })) {
      for (const { key, value } of page) {
        const pointer = decodeValuePointer(key, value);
        if (pointer !== undefined) valueLog.addReference(key, pointer);
      }
    }
  }
}

function missingSegments(valueLog: ValueLog, sizes: ReadonlyMap<number, number>): readonly string[] {
  return valueLog.usage().flatMap(([segment, bytes, live]) => {
    const there = sizes.get(segment);
    if (live === 0 || (there !== undefined && there >= bytes)) return [];
    const what = there === undefined ? 'is missing' : `has ${there} of ${bytes} bytes`;
    return [cutText(segment, what, live)];
  });
}

/**
 * A lost record of the log may have held the only pointer to a value. So before orphans are removed, what was written since
 * the last checkpoint is searched for values without a pointer. If there is one, the store has to be rebuilt, starting
 * with the value log. (Older values had their pointers in the index at the checkpoint, or were deleted by then.)
 */
async function assertNothingUnreferenced(
  { index, values }: EngineOptions,
  written: ReturnType<typeof writtenSince>,
  problems: readonly string[],
): Promise<void> {
  for (const { segment, from, size } of written) {
    const name = valueSegmentName(segment);
    const { bytes } = await readAround(values, name, Math.min(size, maxValueSegmentBytes), true);
    for (const { key, offset } of valueRecordsIn(bytes)) {
      if (offset < from || (await index.get(key)) !== undefined) continue;
      const text = `${problems.join('; ')}; ${name} holds a value at ${offset} without a pointer in the index`;
      throw new HoldfastError('store-damaged', text, { retryable: true });
    }
  }
}

/** Segments that a process left behind which died before the index referred to them. */
async function removeOrphans(
  files: Files,
  valueLog: ValueLog,
  sizes: ReadonlyMap<number, number>,
): Promise<void> {
  for (const segment of sizes.keys())
    if (!valueLog.has(segment)) await files.remove(valueSegmentName(segment));
}
