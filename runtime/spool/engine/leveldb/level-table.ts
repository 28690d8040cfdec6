// LevelDB's table format (leveldb/doc/table_format.md): sorted blocks, each with a sum, an index block that
// names them, and a footer that names the index. Read block by block, so a large table costs no memory.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BadBytesError, ByteReader } from './byte-reader.ts';
import { maskedCrc32c } from './crc32c.ts';
import type { BadStretch } from './level-log.ts';
import { unpackSnappy } from './snappy.ts';

const footerBytes = 48;
const magic = Buffer.from('57fb808b247547db', 'hex');
const trailerBytes = 5;
// A table has some 2 MB.
const searchedBytes = 16 * 1024 * 1024;
// A block is 4 KB or one value; a size beyond this is a damaged handle.
const maxBlockBytes = 64 * 1024 * 1024;

/** One version of one key. */
export interface LevelEntry {
  readonly key: Buffer;
  /** Newer writes have higher ones. */
  readonly sequence: number;
  /** Undefined: the key was deleted. */
  readonly value: Buffer | undefined;
}

interface Handle {
  readonly offset: number;
  readonly size: number;
}

interface IndexBlock {
  readonly index: readonly { readonly key: Buffer; readonly handle: Handle }[];
  readonly meta?: Handle;
}

/** Keeps few files open at a time, the ones that were read last. */
export class TablePool {
  readonly #open = new Set<LevelTable>();
  readonly #limit: number;

  constructor(limit = 64) {
    this.#limit = limit;
  }

  touch(table: LevelTable): void {
    this.#open.delete(table);
    this.#open.add(table);
    if (this.#open.size <= this.#limit) return;
    for (const oldest of this.#open) {
      this.#open.delete(oldest);
      oldest.close();
      return;
    }
  }

  close(): void {
    for (const table of this.#open) table.close();
    this.#open.clear();
  }
}

/** Opens its file when it is read, and again after `close`. */
export class LevelTable {
  readonly #path: string;
  readonly #pool: TablePool;
  readonly #onBad: (bad: BadStretch) => void;
  readonly #bytes: number | undefined;
  #file: { readonly fd: number; readonly size: number } | undefined;
  #index: IndexBlock | undefined;
  // Single keys are looked up in order, so the next is mostly in the same block.
  #lastBlock: { readonly offset: number; readonly entries: readonly LevelEntry[] } | undefined;

  /** `bytes`: of the table, where that is known. `onBad` hears of what cannot be used, each time that it is come across. */
  constructor(
    path: string,
    pool: TablePool,
    { bytes }: { readonly bytes?: number },
    onBad: (bad: BadStretch) => void,
  ) {
    this.#path = path;
    this.#pool = pool;
    this.#bytes = bytes;
    this.#onBad = onBad;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
    this.#index = undefined;
    this.#lastBlock = undefined;
  }

  /** Entries from user key `gte` on, by key, newer versions first. Damaged blocks are passed over. */
  *entries(gte: Buffer): Generator<LevelEntry> {
    const { index } = this.#readIndex();
    for (let at = firstBlock(index, gte); at < index.length; at++) {
      for (const entry of this.#blockEntries(index[at]!.handle)) {
        if (Buffer.compare(entry.key, gte) >= 0) yield entry;
      }
    }
  }

  /** Keys of the first and the last readable entry; undefined for a table of which nothing can be read. */
  bounds(): { smallest: Buffer; largest: Buffer } | undefined {
    const { index } = this.#readIndex();
    for (const { handle } of index) {
      const [first] = this.#blockEntries(handle);
      if (first !== undefined) return { smallest: first.key, largest: userKey(index[index.length - 1]!.key) };
    }
    return undefined;
  }

  check(): void {
    for (const _ of this.checkSteps());
  }

  /** Reads every block, those that entries never need too: one a step. */
  *checkSteps(): Generator<void> {
    const { index, meta } = this.#readIndex();
    for (const { handle } of index) {
      this.#blockEntries(handle);
      yield;
    }
    const block = meta && this.#readBlock(meta);
    if (block === undefined) return;
    for (const { handle } of this.#handlesIn(block, meta!)) {
      this.#readBlock(handle);
      yield;
    }
  }

  #readIndex(): IndexBlock {
    this.#index ??= this.#readFooter();
    return this.#index;
  }

  #readFooter(): IndexBlock {
    let size = footerBytes;
    try {
      size = this.#tableSize();
      if (size < footerBytes) throw new BadBytesError('too short to be a table');
      const footer = this.#read(size - footerBytes, footerBytes);
      if (!footer.subarray(40).equals(magic)) throw new BadBytesError('the footer is not that of a table');
      const reader = new ByteReader(footer);
      const meta = { offset: reader.varint(), size: reader.varint() };
      const handle = { offset: reader.varint(), size: reader.varint() };
      const block = this.#readBlock(handle);
      return { index: block === undefined ? [] : this.#handlesIn(block, handle), meta };
    } catch (error) {
      this.#bad(error, Math.max(0, size - footerBytes), Math.min(size, footerBytes));
      return { index: [] };
    }
  }

  /** Where its size is not known, the table ends with the last footer in the file: something may stand behind it. */
  #tableSize(): number {
    const { size } = this.#opened();
    if (this.#bytes !== undefined) return Math.min(size, this.#bytes);
    const from = Math.max(0, size - searchedBytes);
    const at = this.#read(from, size - from).lastIndexOf(magic);
    return at < 0 ? size : from + at + magic.byteLength;
  }

  #handlesIn(block: Buffer, where: Handle): { key: Buffer; handle: Handle }[] {
    const found: { key: Buffer; handle: Handle }[] = [];
    try {
      for (const { key, value } of readBlock(block)) {
        const reader = new ByteReader(value);
        found.push({ key: Buffer.from(key), handle: { offset: reader.varint(), size: reader.varint() } });
      }
    } catch (error) {
      this.#bad(error, where.offset, where.size);
    }
    return found;
  }

  #blockEntries(handle: Handle): readonly LevelEntry[] {
    if (this.#lastBlock?.offset === handle.offset) return this.#lastBlock.entries;
    const block = this.#readBlock(handle);
    if (block === undefined) return [];
    const entries: LevelEntry[] = [];
    try {
      for (const { key, value } of readBlock(block)) entries.push(openInternalKey(key, value));
    } catch (error) {
      this.#bad(error, handle.offset, handle.size);
    }
    this.#lastBlock = { offset: handle.offset, entries };
    return entries;
  }

  /** The block, summed and unpacked; undefined (and reported) when it is damaged. */
  #readBlock({ offset, size }: Handle): Buffer | undefined {
    try {
      if (size > maxBlockBytes || offset + size + trailerBytes > this.#opened().size) {
        throw new BadBytesError('a block reaches beyond the end of the file');
      }
      const bytes = this.#read(offset, size + trailerBytes);
      if (maskedCrc32c(bytes, 0, size + 1) !== bytes.readUInt32LE(size + 1)) {
        throw new BadBytesError('the sum of a block does not match');
      }
      const contents = bytes.subarray(0, size);
      if (bytes[size] === 0) return contents;
      if (bytes[size] === 1) return unpackSnappy(contents);
      throw new BadBytesError(`a block is packed in an unknown way (${bytes[size]})`);
    } catch (error) {
      this.#bad(error, offset, size);
      return undefined;
    }
  }

  #opened(): { fd: number; size: number } {
    if (this.#file === undefined) {
      const fd = openSync(this.#path, 'r');
      this.#file = { fd, size: fstatSync(fd).size };
    }
    this.#pool.touch(this);
    return this.#file;
  }

  #read(offset: number, length: number): Buffer {
    const { fd } = this.#opened();
    const bytes = Buffer.allocUnsafeSlow(length);
    let done = 0;
    while (done < length) {
      const read = readSync(fd, bytes, done, length - done, offset + done);
      if (read === 0) throw new BadBytesError('the file ended early');
      done += read;
    }
    return bytes;
  }

  /** A medium that does not answer for one block (EIO) is damage of that block, too. */
  #bad(error: unknown, offset: number, length: number): void {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!(error instanceof BadBytesError) && code === undefined) throw error;
    this.#onBad({ offset, length, reason: code === undefined ? message : `it cannot be read (${code})` });
  }
}

/** An index key is at or above all keys of its block. */
function firstBlock(index: IndexBlock['index'], gte: Buffer): number {
  let low = 0;
  let high = index.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(userKey(index[middle]!.key), gte) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function userKey(internal: Buffer): Buffer {
  return internal.subarray(0, Math.max(0, internal.byteLength - 8));
}

/** Entries of an unpacked block: each key shares a prefix with the one before; the restart points are not needed. */
function* readBlock(block: Buffer): Generator<{ key: Buffer; value: Buffer }> {
  if (block.byteLength < 4) throw new BadBytesError('a block is too short');
  const restarts = block.readUInt32LE(block.byteLength - 4);
  const end = block.byteLength - 4 - restarts * 4;
  if (end < 0) throw new BadBytesError('a block is too short');
  const reader = new ByteReader(block, 0, end);
  let key = Buffer.alloc(0);
  while (!reader.done) {
    const shared = reader.varint();
    const fresh = reader.varint();
    const length = reader.varint();
    if (shared > key.byteLength) throw new BadBytesError('a key shares more than there is');
    key = Buffer.concat([key.subarray(0, shared), reader.take(fresh)]);
    yield { key, value: reader.take(length) };
  }
}

function openInternalKey(internal: Buffer, value: Buffer): LevelEntry {
  const length = internal.byteLength - 8;
  if (length < 0) throw new BadBytesError('a key is too short');
  const type = internal[length]!;
  if (type > 1) throw new BadBytesError('a key is neither written nor deleted');
  // 56 bits: exact up to 2^53 writes.
  const sequence = internal.readUInt32LE(length + 4) * 2 ** 24 + (internal.readUInt32LE(length) >>> 8);
  return { key: internal.subarray(0, length), sequence, value: type === 1 ? value : undefined };
}
