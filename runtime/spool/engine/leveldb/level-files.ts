// A LevelDB folder, read without LevelDB. Opening one with LevelDB itself writes: it rolls the log, a new
// MANIFEST and new tables, and skips damaged parts of its log without reporting them. Here nothing is
// written, every sum is checked, whatever is damaged is named, and the rest is read all the same.
//
// Which version of a key is the newest is told by its sequence number alone, so tables may be merged in any
// order and levels do not matter. Without a usable MANIFEST all files are read: then a table that LevelDB
// had already replaced, and not yet removed, may bring deleted entries back.
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../../../../kernel/errors.ts';
import { isMedium } from '../disk.ts';
import { maxCurrentBytes, maxLevelLogBytes } from '../limits.ts';
import { lowerBound } from '../lower-bound.ts';
import type { FileProblem, StoreSource } from '../offline/entry-source.ts';
import { describeFileError, isFileError, sizeOfFile } from '../offline/file-errors.ts';
import type { Entry } from '../store.ts';
import { BadBytesError, ByteReader } from './byte-reader.ts';
import { readLog } from './level-log.ts';
import { type Manifest, readManifest } from './level-manifest.ts';
import { type LevelEntry, LevelTable, TablePool } from './level-table.ts';

/**
 * Of a log whose sums are right, and whose records are no writes in their order: over wrong sums LevelDB passes, these it takes for an
 * error of its own, and ends the process.
 */
export const unsoundWrites = 'LevelDB cannot bear its writes';
const maxSequence = 2 ** 56 - 1;

interface Source {
  readonly smallest: Buffer;
  readonly largest: Buffer;
  open(gte: Buffer): Generator<LevelEntry>;
}

export class LevelFiles implements StoreSource {
  readonly folder: string;
  /** Sizes by name, of LevelDB's own files. */
  readonly files: ReadonlyMap<string, number>;
  readonly #problems = new Map<string, FileProblem>();
  readonly #tables: LevelTable[] = [];
  readonly #pool = new TablePool();
  readonly #sources: Source[] = [];

  /**
   * `manifest: false`: what it says is not heeded, and all files are read.
   * @throws HoldfastError `spool-unreadable` when the folder cannot be listed or holds nothing of LevelDB's.
   */
  constructor(folder: string, options: { readonly manifest: boolean } = { manifest: true }) {
    this.folder = folder;
    this.files = listFiles(folder);
    this.#load(options.manifest ? this.#readManifest() : undefined);
  }

  /** Grows while damaged places are come across. */
  get problems(): readonly FileProblem[] {
    return [...this.#problems.values()];
  }

  get bytes(): number {
    return [...this.files.values()].reduce((sum, size) => sum + size, 0);
  }

  /** Reads every block of every file in use. */
  check(): void {
    for (const table of this.#tables) table.check();
  }

  close(): void {
    this.#pool.close();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const end = Buffer.concat([key, Buffer.of(0)]);
    for (const entry of this.scan(key, end)) return entry.value;
    return undefined;
  }

  /** Values are the caller's to keep. Holds one block of each table that overlaps the place where it stands. */
  *scan(gte: Uint8Array, lt: Uint8Array): Generator<Entry> {
    const from = Buffer.from(gte);
    const waiting = this.#sources
      .filter(
        (source) => Buffer.compare(source.smallest, lt) < 0 && Buffer.compare(source.largest, from) >= 0,
      )
      .sort((a, b) => Buffer.compare(b.smallest, a.smallest));
    const active: { head: LevelEntry; rest: Generator<LevelEntry> }[] = [];
    let last: Buffer | undefined;
    try {
      for (;;) {
        let least = leastOf(active);
        // A table is opened when the merge reaches it, not before: few are open at any time.
        while (
          waiting.length > 0 &&
          (least === undefined || Buffer.compare(waiting.at(-1)!.smallest, least.head.key) <= 0)
        ) {
          const rest = waiting.pop()!.open(from);
          const first = rest.next();
          if (!first.done) active.push({ head: first.value, rest });
          least = leastOf(active);
        }
        if (least === undefined) return;
        const { key, value } = least.head;
        if (Buffer.compare(key, lt) >= 0) return;
        const next = least.rest.next();
        if (next.done) active.splice(active.indexOf(least), 1);
        else least.head = next.value;
        if (last?.equals(key)) continue;
        last = key;
        if (value !== undefined) yield { key, value };
      }
    } finally {
      for (const { rest } of active) rest.return(undefined);
    }
  }

  #load(manifest: Manifest | undefined): void {
    for (const [name, size] of this.files) {
      const number = Number.parseInt(name, 10);
      if (/^\d+\.(ldb|sst)$/.test(name)) {
        if (manifest !== undefined && !manifest.tables.has(number)) continue;
        this.#addTable(name, size, manifest?.tables.get(number));
      } else if (/^\d+\.log$/.test(name)) {
        const inUse =
          manifest === undefined || number >= manifest.logNumber || number === manifest.previousLogNumber;
        if (inUse) this.#addLog(name);
      }
    }
    for (const number of manifest?.tables.keys() ?? []) {
      const stem = String(number).padStart(6, '0');
      if (!this.files.has(`${stem}.ldb`) && !this.files.has(`${stem}.sst`)) {
        this.#report('damage', `${stem}.ldb`, 'the file is missing');
      }
    }
  }

  #readManifest(): Manifest | undefined {
    const unusable = (name: string, why: string) =>
      this.#report('damage', name, `${why}; all tables and logs are read, so removed entries may reappear`);
    let name = 'CURRENT';
    try {
      const current = this.#readWhole(name, maxCurrentBytes).toString('latin1');
      const target = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
      if (target === undefined) throw new BadBytesError('it names no MANIFEST');
      name = target;
      const { records, bad, tornTail } = readLog(this.#readWhole(name, maxLevelLogBytes));
      if (bad[0] !== undefined) throw new BadBytesError(`${bad[0].reason} at byte ${bad[0].offset}`);
      if (tornTail !== undefined) this.#report('note', name, tail(tornTail));
      return readManifest(records);
    } catch (error) {
      if (!(error instanceof BadBytesError) && !isFileError(error)) throw error;
      unusable(name, describeFileError(error));
      return undefined;
    }
  }

  #addTable(
    name: string,
    size: number,
    facts: { bytes: number; smallest: Buffer; largest: Buffer } | undefined,
  ) {
    const known = facts === undefined ? {} : { bytes: facts.bytes };
    const table = new LevelTable(join(this.folder, name), this.#pool, known, ({ offset, length, reason }) =>
      this.#report('damage', name, `${reason} (${length} bytes at byte ${offset})`),
    );
    this.#tables.push(table);
    if (facts !== undefined && facts.bytes > size) {
      this.#report('damage', name, `the file has ${size} bytes instead of ${facts.bytes}`);
    } else if (facts !== undefined && facts.bytes < size) {
      this.#report('note', name, `${size - facts.bytes} bytes that are none of the table's stand behind it`);
    }
    const bounds = facts ?? table.bounds();
    if (bounds === undefined) return;
    const { smallest, largest } = bounds;
    this.#sources.push({ smallest, largest, open: (gte) => table.entries(gte) });
  }

  // A log is as large as LevelDB's write buffer, a few MB: it is held whole, as LevelDB does.
  #addLog(name: string): void {
    let file: Buffer;
    try {
      file = this.#readWhole(name, maxLevelLogBytes);
    } catch (error) {
      if (!(error instanceof BadBytesError) && !isFileError(error)) throw error;
      this.#report('damage', name, describeFileError(error));
      return;
    }
    const { records, bad, tornTail } = readLog(file);
    for (const { offset, length, reason } of bad) {
      this.#report('damage', name, `${reason} (${length} bytes at byte ${offset})`);
    }
    if (tornTail !== undefined) this.#report('note', name, tail(tornTail));
    const entries: LevelEntry[] = [];
    let newest = 0;
    for (const record of records) {
      try {
        const batch = readBatch(record);
        const isNewer = batch.length === 0 || batch[0]!.sequence > newest;
        if (!isNewer) this.#report('damage', name, `${unsoundWrites}: one is no newer than one before it`);
        newest = Math.max(newest, batch.at(-1)?.sequence ?? 0);
        entries.push(...batch);
      } catch (error) {
        if (!(error instanceof BadBytesError)) throw error;
        this.#report('damage', name, `${unsoundWrites}: ${error.message}`);
      }
    }
    if (entries.length === 0) return;
    entries.sort((a, b) => Buffer.compare(a.key, b.key) || b.sequence - a.sequence);
    this.#sources.push({
      smallest: entries[0]!.key,
      largest: entries.at(-1)!.key,
      open: (gte) => entriesFrom(entries, gte),
    });
  }

  /** A pipe would be waited for, and a giant would be read. */
  #readWhole(name: string, maxBytes: number): Buffer {
    const size = this.files.get(name);
    const path = join(this.folder, name);
    if (size === undefined && lstatSync(path, { throwIfNoEntry: false }) !== undefined)
      throw new BadBytesError('it is no regular file');
    if (size !== undefined && size > maxBytes) throw new BadBytesError(`it is larger than ${maxBytes} bytes`);
    return readFileSync(path);
  }

  #report(severity: FileProblem['severity'], file: string, reason: string): void {
    // One place is met again with every scan.
    this.#problems.set(`${file} ${reason}`, { severity, file, reason });
  }
}

const leveldbFile = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log))$/;

function listFiles(folder: string): ReadonlyMap<string, number> {
  const files = new Map<string, number>();
  try {
    for (const name of readdirSync(folder).filter((each) => leveldbFile.test(each))) {
      const size = sizeUnlessLost(join(folder, name));
      if (size !== undefined) files.set(name, size);
    }
  } catch (cause) {
    throw new HoldfastError('spool-unreadable', `${folder} cannot be read: ${describeFileError(cause)}`, {
      cause,
    });
  }
  if (files.size === 0) throw new HoldfastError('spool-unreadable', `${folder} holds no store`);
  return files;
}

/** Undefined also for a file that the file system has lost: where it is needed, it is missing. */
function sizeUnlessLost(path: string): number | undefined {
  try {
    return sizeOfFile(path);
  } catch (error) {
    if (!isMedium(error)) throw error;
    return undefined;
  }
}

/** One write: sequence of its first operation, their number, the operations. */
function readBatch(record: Buffer): LevelEntry[] {
  if (record.byteLength < 12) throw new BadBytesError('cut short');
  const first = record.readUInt32LE(4) * 2 ** 32 + record.readUInt32LE(0);
  const reader = new ByteReader(record, 12);
  const entries: LevelEntry[] = [];
  while (!reader.done) {
    const type = reader.byte();
    if (type > 1) throw new BadBytesError('an operation is neither a write nor a deletion');
    const key = reader.prefixed();
    const value = type === 1 ? reader.prefixed() : undefined;
    entries.push({ key, sequence: first + entries.length, value });
  }
  if (first + entries.length > maxSequence) throw new BadBytesError('a sequence is too high');
  if (entries.length !== record.readUInt32LE(8)) throw new BadBytesError('the number of operations is wrong');
  return entries;
}

function* entriesFrom(entries: readonly LevelEntry[], gte: Buffer): Generator<LevelEntry> {
  for (let at = lowerBound(entries, gte); at < entries.length; at++) yield entries[at]!;
}

function leastOf<T extends { head: LevelEntry }>(active: readonly T[]): T | undefined {
  let least: T | undefined;
  for (const one of active) {
    if (least === undefined) least = one;
    else {
      const order = Buffer.compare(one.head.key, least.head.key);
      if (order < 0 || (order === 0 && one.head.sequence > least.head.sequence)) least = one;
    }
  }
  return least;
}

const tail = ({ offset, length, reason }: { offset: number; length: number; reason: string }) =>
  `as a power cut leaves it: ${reason} (${length} bytes at byte ${offset})`;
