// Opening: what the log, the bodies and the index say is brought together again.
//
// After a proper end the last checkpoint has it all, and nothing is read through. Otherwise what the log holds since
// its last checkpoint is done once more, and the places in the index are counted: the checkpoint's counts are as old
// as it is, and a damaged log would carry a wrong count on for good.
import { HoldfastError } from '../../../kernel/errors.ts';
import { idKey, maxId, spaceBounds } from '../format/keys.ts';
import type { Files } from './files.ts';
import type { IndexStore } from './index-store.ts';
import { defaultLimits } from './limits.ts';
import { LateIndex } from './memtable.ts';
import { decodeDurable, durableKey, type SplitFiles, type SplitParts } from './parts.ts';
import { readAround } from './read-around.ts';
import { BodyFiles, bodyFileName, bodyFileNumber } from './value-log.ts';
import { bodiesIn, decodePlace } from './value-record.ts';
import { CommitLog, isLogFile } from './wal.ts';
import { journalOf, lossesOf, wentBack } from './wal-contents.ts';
import { decodeOps } from './wal-ops.ts';
import { type LogContents, type LogFile, readLogFiles } from './wal-replay.ts';
import { SplitWriter } from './writer.ts';

const pageEntries = 2000;
// No log file is longer: it takes one record at least, and a record is a commit.
const maxLogBytes = 64 * 1024 * 1024;
// A file ends with the message that goes beyond 8 MB.
const maxBodyFileBytes = 64 * 1024 * 1024;

export interface Recovered {
  readonly parts: SplitParts;
  readonly writer: SplitWriter;
  /** For people: what the medium lost of the log or the bodies. */
  readonly problem?: string;
}

/**
 * `fresh`: what stands last in a file of bodies may not be what was written, since a write failed.
 * @throws HoldfastError `store-damaged` when the index went back, or the log lost records and bodies are there that
 * nobody names.
 */
export async function recoverParts(files: SplitFiles, fresh: boolean): Promise<Recovered> {
  const listed = (await files.log.list()).filter(({ name }) => isLogFile(name));
  const { logFiles, unreadable } = await readFiles(files, listed);
  const contents = readLogFiles(logFiles);
  const { places: journal, missing } = journalOf(contents);
  const durable = decodeDurable(await files.index.get(durableKey));
  const isOld = wentBack(contents, durable);
  if (isOld !== undefined) throw new HoldfastError('store-damaged', isOld, { retryable: true });
  const sequence = Math.max(contents.lastSequence, durable);
  const limits = { ...defaultLimits, ...files.limits };
  const log = new CommitLog(files.log, limits);
  log.adopt(contents.generations, contents.lastGeneration, listed, new Set(unreadable.keys()));
  const bodies = new BodyFiles(files.bodies, limits);
  const parts: SplitParts = {
    files,
    limits,
    index: new LateIndex(files.index),
    log,
    bodies,
    journal,
    state: undefined,
    sequence,
    durable: sequence,
    indexHasJournal: await hasJournal(files.index),
  };
  const writer = new SplitWriter(parts, contents.clean);
  // Writing over what cannot be read may fail as well; the checkpoint below puts all of it on the disk.
  const sound = logFiles.filter(({ name }) => !unreadable.has(name));
  const shorter = cutSince(contents, await listBodies(files.bodies));
  if (!contents.clean) await makeDurable(files.log, sound, contents);
  for (const { kind, payload } of contents.after) {
    if (kind === 'batch') await writer.redo([...decodeOps(payload)].map(({ op }) => op));
  }
  const found = await listBodies(files.bodies);
  if (contents.clean) bodies.restore(contents.checkpoint?.bodies ?? [], found);
  else await countBodies(files.index, bodies, found);
  const gone = missingBodies(bodies, found);
  const problems = [
    ...lossesOf(contents, missing, durable),
    ...[...unreadable].map(([name, bytes]) => `${bytes} bytes of ${name} cannot be read`),
    ...(gone.length > 0 ? gone : shorter),
  ];
  if (problems.length > 0) await refuseToForget(files, bodies, found, problems);
  await removeStrangers(files.bodies, bodies, found);
  if (fresh || !(await bodies.canWrite())) bodies.startNew();
  // Nothing goes on before what was done again is on the disk: the records that it came from may not be.
  const isNew = sequence === 0 && found.size === 0;
  if (!contents.clean && !isNew) {
    bodies.dropUnnamed(sequence);
    await writer.checkpoint();
  }
  return { parts, writer, ...(problems.length === 0 ? {} : { problem: problems.join('; ') }) };
}

/** `unreadable`: files of which the medium does not give back so many bytes. */
async function readFiles(
  { log, insist = false }: SplitFiles,
  listed: readonly { name: string; bytes: number }[],
): Promise<{ logFiles: LogFile[]; unreadable: ReadonlyMap<string, number> }> {
  const logFiles: LogFile[] = [];
  const unreadable = new Map<string, number>();
  for (const { name, bytes: size } of listed) {
    const { bytes, missing } = await readAround(log, name, Math.min(size, maxLogBytes), insist);
    logFiles.push({ name, bytes });
    if (missing > 0) unreadable.set(name, missing);
  }
  return { logFiles, unreadable };
}

/**
 * Nothing is done again that a power cut may still take from the log. After a sync that failed the operating system
 * takes what was to be written for clean: it is read, and no later sync brings it to the disk. So the newest
 * file, the only one that was not synced before the next was begun, is written once more where it stands.
 */
async function makeDurable(files: Files, read: readonly LogFile[], contents: LogContents): Promise<void> {
  const { generations } = contents;
  const newest = generations.get(Math.max(0, ...generations.keys()));
  const bytes = read.find(({ name }) => name === newest)?.bytes;
  const ends = [...contents.before, ...contents.after]
    .filter(({ name }) => name === newest)
    .map(({ offset, payload }) => offset + payload.byteLength);
  const end = ends.reduce((a, b) => Math.max(a, b), 0);
  if (newest !== undefined && bytes !== undefined) await files.write(newest, 0, [bytes.subarray(0, end)]);
  for (const name of new Set(generations.values())) {
    if (read.some((file) => file.name === name)) await files.sync(name);
  }
}

async function hasJournal(index: IndexStore): Promise<boolean> {
  const [first] = await index.range({ ...spaceBounds('j'), limit: 1, keysOnly: true });
  return first !== undefined;
}

async function listBodies(files: Files): Promise<ReadonlyMap<number, number>> {
  const found = new Map<number, number>();
  for (const { name, bytes } of await files.list()) {
    const file = bodyFileNumber(name);
    if (file !== undefined) found.set(file, bytes);
  }
  return found;
}

async function countBodies(
  index: IndexStore,
  bodies: BodyFiles,
  found: ReadonlyMap<number, number>,
): Promise<void> {
  for (const [file, bytes] of found) bodies.found(file, bytes);
  // Without files nothing can lie in them, as in a store of format 1.
  if (found.size === 0) return;
  for (let from = 0; ; ) {
    const page = await index.range({ gte: idKey('r', from), lt: idKey('r', maxId), limit: pageEntries });
    for (const { key, value } of page) {
      const place = decodePlace(key, value);
      if (place !== undefined) bodies.name(key, place);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageEntries) return;
    from = Buffer.from(last.key).readUIntBE(1, 6) + 1;
  }
}

/** What is done again lengthens a file that was cut, so this is looked at before. All that a checkpoint counts is on the disk. */
function cutSince({ checkpoint }: LogContents, found: ReadonlyMap<number, number>): readonly string[] {
  return (checkpoint?.bodies ?? []).flatMap(([file, bytes, live]) => {
    const there = found.get(file);
    if (live === 0 || there === undefined || there >= bytes) return [];
    return [cutText(file, `has ${there} of ${bytes} bytes`, live)];
  });
}

const cutText = (file: number, what: string, live: number): string =>
  `${bodyFileName(file)} ${what}: it held ${live} messages, of which some may be lost`;

function missingBodies(bodies: BodyFiles, found: ReadonlyMap<number, number>): readonly string[] {
  return bodies.counts().flatMap(([file, bytes, live]) => {
    const there = found.get(file);
    if (live === 0 || (there !== undefined && there >= bytes)) return [];
    const what = there === undefined ? 'is missing' : `has ${there} of ${bytes} bytes`;
    return [cutText(file, what, live)];
  });
}

/**
 * A record of the log that is gone may be all that named a body. What was written last is looked through before
 * anything is removed: if such a body is there, the store is put together anew, bodies first.
 */
async function refuseToForget(
  files: SplitFiles,
  bodies: BodyFiles,
  found: ReadonlyMap<number, number>,
  problems: readonly string[],
): Promise<void> {
  const last = Math.max(0, ...found.keys());
  const suspects = [...found].filter(([file]) => file === last || !isNamed(bodies, file));
  for (const [file, bytes] of suspects) {
    const length = Math.min(bytes, maxBodyFileBytes);
    const { bytes: contents } = await readAround(files.bodies, bodyFileName(file), length, true);
    for (const { key, offset } of bodiesIn(contents)) {
      const named = await files.index.get(key);
      if (named !== undefined) continue;
      const text = `${problems.join('; ')}; ${bodyFileName(file)} holds a message at ${offset} that nothing names`;
      throw new HoldfastError('store-damaged', text, { retryable: true });
    }
  }
}

const isNamed = (bodies: BodyFiles, file: number): boolean =>
  bodies.counts().some(([each, , live]) => each === file && live > 0);

async function removeStrangers(
  files: Files,
  bodies: BodyFiles,
  found: ReadonlyMap<number, number>,
): Promise<void> {
  for (const file of found.keys()) if (!bodies.has(file)) await files.remove(bodyFileName(file));
}
