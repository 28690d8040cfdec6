// Files on a disk that loses what was not synced. They keep the contract of runtime/spool/engine/files.ts as long as
// there is power; `survivor` is what the next start finds. Of each write since the last sync of its file, by itself,
// that is all, nothing, or a piece: so a later one may be there without an earlier one. A file whose name was not
// synced may be gone, and one that was removed may be back, as it was before.
//
// After a sync that failed the writes before it are seen as long as there is power, and yet no later sync brings them
// to the disk: an operating system takes the pages for clean then. Only writing them again helps.
import { type Random, randomInt } from '../../kernel/random.ts';
import type { FileFacts, Files } from '../../runtime/spool/engine/files.ts';
import { type PowerSupply, silence } from './power-supply.ts';

interface Write {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** One file, whatever its name. */
interface Inode {
  /** What a read sees. */
  seen: Buffer;
  /** What is on the disk for certain. */
  disk: Buffer;
  pending: Write[];
}

const sectorBytes = 512;

export class PowerLossFiles implements Files {
  readonly #random: Random;
  readonly #supply: PowerSupply;
  // By name: what a reader finds, and what is on the disk for certain.
  #seen = new Map<string, Inode>();
  #disk = new Map<string, Inode>();

  constructor(random: Random, supply: PowerSupply) {
    this.#random = random;
    this.#supply = supply;
  }

  list(): Promise<readonly FileFacts[]> {
    return this.#supply.whilePowered(() =>
      [...this.#seen].map(([name, { seen }]) => ({ name, bytes: seen.byteLength })),
    );
  }

  async write(name: string, offset: number, pieces: readonly Uint8Array[]): Promise<void> {
    const write = { offset, bytes: Buffer.concat(pieces) };
    const fate = await this.#supply.operation();
    if (fate === 'done') return void this.#write(name, write);
    if (fate === 'cut') {
      this.#write(name, write);
      return silence;
    }
    // It came some way, which a reader sees.
    const done = pieceOf(this.#random, write);
    if (done !== undefined) this.#write(name, done);
    throw fate.refused;
  }

  async read(name: string, offset: number, length: number): Promise<Buffer> {
    return this.#supply.whilePowered(() =>
      Buffer.from(this.#seen.get(name)?.seen.subarray(offset, offset + length) ?? []),
    );
  }

  async sync(name: string): Promise<void> {
    const fate = await this.#supply.operation();
    const inode = this.#inode(name);
    if (fate === 'done') {
      for (const write of inode.pending) inode.disk = put(inode.disk, write);
      inode.pending = [];
      this.#disk.set(name, inode);
      return;
    }
    if (fate === 'cut') return silence;
    for (const write of inode.pending) {
      const done = pieceOf(this.#random, write);
      if (done !== undefined) inode.disk = put(inode.disk, done);
    }
    inode.pending = [];
    throw fate.refused;
  }

  async remove(name: string): Promise<void> {
    const fate = await this.#supply.operation();
    if (typeof fate !== 'object' || this.#random.next() < 0.5) this.#seen.delete(name);
    if (fate === 'cut') return silence;
    if (typeof fate === 'object') throw fate.refused;
  }

  async close(): Promise<void> {}

  /** What the disk holds now that the power is back. */
  survivor(supply: PowerSupply): PowerLossFiles {
    const next = new PowerLossFiles(this.#random, supply);
    for (const name of new Set([...this.#seen.keys(), ...this.#disk.keys()])) {
      const known = [this.#seen.get(name), this.#disk.get(name)];
      // A creation, a removal, or one after the other: in time or not.
      const inode = known[randomInt(this.#random, 2)];
      if (inode === undefined) continue;
      const bytes = this.#survivorOf(inode);
      next.#seen.set(name, { seen: bytes, disk: bytes, pending: [] });
    }
    next.#disk = new Map(next.#seen);
    return next;
  }

  /** What the next process finds after this one ended without a power cut: all that was written. The disk may still lose it. */
  restarted(supply: PowerSupply): PowerLossFiles {
    const next = new PowerLossFiles(this.#random, supply);
    [next.#seen, next.#disk] = [this.#seen, this.#disk];
    return next;
  }

  /** As a reader sees them. */
  get contents(): ReadonlyMap<string, Buffer> {
    return new Map([...this.#seen].map(([name, { seen }]) => [name, seen]));
  }

  #write(name: string, write: Write): void {
    const inode = this.#inode(name);
    inode.seen = put(inode.seen, write);
    inode.pending.push(write);
  }

  #inode(name: string): Inode {
    let inode = this.#seen.get(name);
    if (inode === undefined) {
      inode = { seen: Buffer.alloc(0), disk: Buffer.alloc(0), pending: [] };
      this.#seen.set(name, inode);
    }
    return inode;
  }

  #survivorOf({ disk, pending }: Inode): Buffer {
    let bytes = disk;
    for (const write of pending) {
      const done = pieceOf(this.#random, write);
      if (done !== undefined) bytes = put(bytes, done);
    }
    return bytes;
  }
}

/** All of the write, nothing, its beginning, its end, a stretch, or some of the sectors that it touches. */
function pieceOf(random: Random, write: Write): Write | undefined {
  const { offset, bytes } = write;
  const fate = random.next();
  if (fate < 0.3) return write;
  if (fate < 0.6) return undefined;
  const [a, b] = [randomInt(random, bytes.byteLength + 1), randomInt(random, bytes.byteLength + 1)];
  if (fate < 0.75) return { offset, bytes: bytes.subarray(0, a) };
  const [from, to] = fate < 0.85 ? [a, bytes.byteLength] : [Math.min(a, b), Math.max(a, b)];
  if (fate < 0.92) return { offset: offset + from, bytes: bytes.subarray(from, to) };
  // A length that reached the disk before what fills it.
  if (fate < 0.95) return { offset: offset + bytes.byteLength, bytes: Buffer.alloc(0) };
  return wholeSectors(write, from, to);
}

function wholeSectors({ offset, bytes }: Write, from: number, to: number): Write {
  const first = Math.floor((offset + from) / sectorBytes) * sectorBytes;
  const end = Math.ceil((offset + to) / sectorBytes) * sectorBytes;
  const [start, stop] = [Math.max(first, offset), Math.min(end, offset + bytes.byteLength)];
  return { offset: start, bytes: bytes.subarray(start - offset, stop - offset) };
}

/** A new buffer: what was seen or kept before stays as it was. What lies between is zeros. */
function put(file: Buffer, { offset, bytes }: Write): Buffer {
  const result = Buffer.alloc(Math.max(file.byteLength, offset + bytes.byteLength));
  file.copy(result);
  bytes.copy(result, offset);
  return result;
}
