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
import { type DiskWrite, pieceOf, type Survival, survivalByChance } from './survival.ts';

/** One file, whatever its name. */
interface Inode {
  /** What a read sees. */
  seen: Buffer;
  /** What is on the disk for certain. */
  disk: Buffer;
  pending: DiskWrite[];
}

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
      return silence();
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
    if (fate === 'done' && this.#supply.isSyncFalse) return;
    if (fate === 'done') {
      for (const write of inode.pending) inode.disk = put(inode.disk, write);
      inode.pending = [];
      this.#disk.set(name, inode);
      return;
    }
    if (fate === 'cut') return silence();
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
    if (fate === 'cut') return silence();
    if (typeof fate === 'object') throw fate.refused;
  }

  async close(): Promise<void> {}

  /** What the disk holds now that the power is back. */
  survivor(supply: PowerSupply, survival: Survival = survivalByChance(this.#random, false)): PowerLossFiles {
    const next = new PowerLossFiles(this.#random, supply);
    for (const name of new Set([...this.#seen.keys(), ...this.#disk.keys()])) {
      const [seen, synced] = [this.#seen.get(name), this.#disk.get(name)];
      // A creation, a removal, or one after the other: in time or not.
      const inode = survival.name(seen, synced);
      if (inode === undefined) continue;
      const bytes = survivorOf(inode, survival);
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

  /** One bit of what is on the disk turns, where there is any. Returns whether it did. */
  flipBit(): boolean {
    const files = [...this.#seen.values()].filter(({ seen }) => seen.byteLength > 0);
    const inode = files[randomInt(this.#random, Math.max(1, files.length))];
    if (inode === undefined) return false;
    const at = randomInt(this.#random, inode.seen.byteLength);
    const bit = 1 << randomInt(this.#random, 8);
    const turned = (file: Buffer) => {
      const copy = Buffer.from(file);
      if (at < copy.byteLength) copy[at]! ^= bit;
      return copy;
    };
    const isSame = inode.disk === inode.seen;
    inode.seen = turned(inode.seen);
    inode.disk = isSame ? inode.seen : turned(inode.disk);
    return true;
  }

  get count(): number {
    return this.#seen.size;
  }

  /** As a reader sees them. */
  get bytes(): number {
    return [...this.#seen.values()].reduce((sum, { seen }) => sum + seen.byteLength, 0);
  }

  /** As a reader sees them. */
  get contents(): ReadonlyMap<string, Buffer> {
    return new Map([...this.#seen].map(([name, { seen }]) => [name, seen]));
  }

  #write(name: string, write: DiskWrite): void {
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
}

function survivorOf({ disk, pending }: Inode, survival: Survival): Buffer {
  let bytes = disk;
  for (const write of pending) {
    const done = survival.piece(write);
    if (done !== undefined) bytes = put(bytes, done);
  }
  return bytes;
}

/** A new buffer: what was seen or kept before stays as it was. What lies between is zeros. */
function put(file: Buffer, { offset, bytes }: DiskWrite): Buffer {
  const result = Buffer.alloc(Math.max(file.byteLength, offset + bytes.byteLength));
  file.copy(result);
  bytes.copy(result, offset);
  return result;
}
