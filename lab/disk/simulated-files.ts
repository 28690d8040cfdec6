// A file system in memory that knows what of it is on its disk. `cut` takes the power: what was not synced is lost by chance,
// sector by sector and in any order, names from some point on.
//
// Names go the way of a journal, as on ext4 and XFS: they reach the disk in the order in which they were changed, and a
// sync of a file or a folder takes with it all changes of names up to the last one that touched it. What a file holds
// has no order.
import { type Random, randomInt } from '../../kernel/random.ts';
import { Contents } from './contents.ts';

export interface Node {
  readonly id: number;
  readonly kind: 'file' | 'folder' | 'link';
  mode: number;
  madeAt: number;
  /** Epoch ms. */
  modifiedAt: number;
  changedAt: number;
  now: Contents;
  /** On the disk. */
  durable: Contents;
  unsynced: Change[];
  readonly target?: string;
}

type Change = { readonly offset: number; readonly bytes: Buffer } | { readonly length: number };

/** One change of names. */
interface Naming {
  readonly folder: number;
  readonly name: string;
  /** Undefined: the name is gone. */
  readonly node: number | undefined;
  /** Of one operation, such as a rename: all of them or none. */
  readonly operation: number;
}

export class DiskError extends Error {
  readonly code: 'EIO' | 'EUCLEAN' | 'ENOSPC' | 'ENOENT' | 'EEXIST' | 'ENOTEMPTY' | 'EROFS';
  constructor(code: DiskError['code']) {
    super(code);
    this.code = code;
  }
}

export const sectorBytes = 512;
export const rootId = 1;

type Names = Map<number, Map<string, number>>;

export class SimulatedFiles {
  readonly #now: () => number;
  readonly #nodes = new Map<number, Node>();
  #names: Names = new Map([[rootId, new Map()]]);
  #durableNames: Names = new Map([[rootId, new Map()]]);
  #namings: Naming[] = [];
  readonly #bad = new Map<number, Set<number>>();
  /** What the file system has lost: the facts of a file or folder, or the names in a folder. */
  readonly #lost = { facts: new Set<number>(), names: new Set<number>() };
  #nextId = rootId + 1;
  #operation = 0;
  /** Bytes that others leave for all files together. */
  capacity = Number.POSITIVE_INFINITY;
  isReadOnly = false;
  isTaken = false;
  /** Nothing can be made, though there is room: no inode is left. */
  hasNoInodes = false;
  /** A sync fails: of what was to be written some is not, and no later sync writes it. As Linux has it since 4.13. */
  syncsFail: Random | undefined;

  constructor(now: () => number) {
    this.#now = now;
    this.#nodes.set(rootId, this.#make(rootId, 'folder', 0o755));
  }

  node(id: number): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new DiskError('ENOENT');
    return node;
  }

  lookUp(folder: number, name: string): Node {
    this.#assertNames(folder);
    const node = this.node(this.#namesIn(folder).get(name) ?? 0);
    if (this.#lost.facts.has(node.id)) throw new DiskError('EUCLEAN');
    return node;
  }

  entries(folder: number): readonly (readonly [string, Node])[] {
    this.#assertNames(folder);
    return [...this.#namesIn(folder)].map(([name, id]) => [name, this.node(id)]);
  }

  /** By path below the root. */
  find(path: string): Node {
    return path
      .split('/')
      .filter((name) => name !== '')
      .reduce((node, name) => this.lookUp(node.id, name), this.node(rootId));
  }

  create(folder: number, name: string, kind: Node['kind'], mode: number, target?: string): Node {
    this.#assertWritable();
    this.#assertNames(folder);
    if (this.#namesIn(folder).has(name)) throw new DiskError('EEXIST');
    if (this.hasNoInodes) throw new DiskError('ENOSPC');
    const node = this.#make(this.#nextId++, kind, mode, target);
    this.#nodes.set(node.id, node);
    if (kind === 'folder') this.#names.set(node.id, new Map());
    this.#operation++;
    this.#rename(folder, name, node.id);
    return node;
  }

  remove(folder: number, name: string): void {
    this.#assertWritable();
    const { id } = this.lookUp(folder, name);
    if ((this.#names.get(id)?.size ?? 0) > 0) throw new DiskError('ENOTEMPTY');
    this.#operation++;
    this.#rename(folder, name, undefined);
  }

  rename(from: number, name: string, to: number, newName: string): void {
    this.#assertWritable();
    const { id } = this.lookUp(from, name);
    if (this.#namesIn(to).has(newName)) this.lookUp(to, newName);
    this.#operation++;
    this.#rename(from, name, undefined);
    this.#rename(to, newName, id);
  }

  /** @throws DiskError `EIO` where a sector of it is bad. */
  read(id: number, offset: number, length: number): Buffer {
    const { now } = this.node(id);
    const bytes = now.read(offset, length);
    const bad = this.#bad.get(id);
    for (let at = offset - (offset % sectorBytes); bad !== undefined && at < offset + bytes.byteLength; ) {
      if (bad.has(at / sectorBytes)) throw new DiskError('EIO');
      at += sectorBytes;
    }
    return bytes;
  }

  write(id: number, offset: number, bytes: Buffer): void {
    this.#assertWritable();
    const node = this.node(id);
    const grows = Math.max(0, offset + bytes.byteLength - node.now.length);
    this.#assertRoom(grows);
    const kept = Buffer.from(bytes);
    node.now.write(offset, kept);
    node.unsynced.push({ offset, bytes: kept });
    node.modifiedAt = this.#touch(node);
    // A disk puts another sector in the place of a bad one when it is written.
    const bad = this.#bad.get(id);
    const [first, end] = [offset / sectorBytes, (offset + bytes.byteLength) / sectorBytes];
    for (let sector = Math.ceil(first); sector < end; sector++) bad?.delete(sector);
  }

  resize(id: number, length: number): void {
    this.#assertWritable();
    const node = this.node(id);
    this.#assertRoom(length - node.now.length);
    node.now.resize(length);
    node.unsynced.push({ length });
    node.modifiedAt = this.#touch(node);
  }

  setMode(id: number, mode: number): void {
    this.#assertWritable();
    const node = this.node(id);
    node.mode = mode;
    this.#touch(node);
  }

  /** @throws DiskError `EIO` while syncs fail: what is in memory still shows all of it. */
  sync(id: number): void {
    const node = this.node(id);
    const random = this.syncsFail;
    if (random !== undefined) {
      for (const change of node.unsynced.splice(0)) {
        for (const piece of piecesOf(change)) if (random.next() < 0.5) apply(node.durable, piece);
      }
      throw new DiskError('EIO');
    }
    for (const change of node.unsynced.splice(0)) apply(node.durable, change);
    const last = this.#namings.findLastIndex((each) => each.folder === id || each.node === id);
    const upTo = this.#namings[last]?.operation;
    if (upTo !== undefined) this.#settle((each) => each.operation <= upTo);
  }

  /** What would be found, had the power gone now: of this nothing changes. */
  image(random: Random): SimulatedFiles {
    const image = new SimulatedFiles(this.#now);
    for (const node of this.#nodes.values())
      image.#nodes.set(node.id, {
        ...node,
        now: node.now.copy(),
        durable: node.durable.copy(),
        unsynced: [...node.unsynced],
      });
    [image.#names, image.#durableNames] = [copyOf(this.#names), copyOf(this.#durableNames)];
    image.#namings = [...this.#namings];
    image.cut(random);
    return image;
  }

  /** The power goes, and comes again. */
  cut(random: Random): void {
    const operations = [...new Set(this.#namings.map(({ operation }) => operation))];
    const kept = new Set(operations.slice(0, randomInt(random, operations.length + 1)));
    this.#settle(({ operation }) => kept.has(operation));
    this.#namings = [];
    this.#names = copyOf(this.#durableNames);
    const named = new Set([rootId, ...[...this.#names.values()].flatMap((names) => [...names.values()])]);
    for (const node of this.#nodes.values()) {
      if (!named.has(node.id)) this.#nodes.delete(node.id);
      if (node.kind === 'folder' && !this.#names.has(node.id)) this.#names.set(node.id, new Map());
      const share = randomInt(random, 3) / 2;
      for (const change of node.unsynced.splice(0)) {
        for (const piece of piecesOf(change)) if (random.next() < share) apply(node.durable, piece);
      }
      node.now = node.durable.copy();
    }
  }

  /** A sector that the medium does not give back until it is written. */
  spoil(id: number, sector: number): void {
    const bad = this.#bad.get(id) ?? new Set();
    this.#bad.set(id, bad.add(sector));
  }

  /** As a damaged file system has it: nobody gets at the file or folder any more, or at what is in it; it is not removed either. */
  lose(id: number, what: 'facts' | 'names'): void {
    this.#lost[what].add(id);
  }

  #assertNames(folder: number): void {
    if (this.#lost.names.has(folder)) throw new DiskError('EUCLEAN');
  }

  freeBytes(): number {
    if (this.capacity === Number.POSITIVE_INFINITY) return this.capacity;
    const named = new Set([...this.#names.values()].flatMap((names) => [...names.values()]));
    const used = [...named].reduce((sum, id) => sum + this.node(id).now.length, 0);
    return Math.max(0, this.capacity - used);
  }

  #make(id: number, kind: Node['kind'], mode: number, target?: string): Node {
    const at = this.#now();
    const times = { madeAt: at, modifiedAt: at, changedAt: at };
    const held = { now: new Contents(), durable: new Contents(), unsynced: [] };
    return { id, kind, mode, ...times, ...held, ...(target === undefined ? {} : { target }) };
  }

  #namesIn(folder: number): Map<string, number> {
    const names = this.#names.get(folder);
    if (names === undefined) throw new DiskError('ENOENT');
    return names;
  }

  #rename(folder: number, name: string, node: number | undefined): void {
    nameIn(this.#names, folder, name, node);
    this.#touch(this.node(folder));
    if (node !== undefined) this.#touch(this.node(node));
    this.#namings.push({ folder, name, node, operation: this.#operation });
  }

  #settle(isDone: (naming: Naming) => boolean): void {
    for (const { folder, name, node } of this.#namings.filter(isDone))
      nameIn(this.#durableNames, folder, name, node);
    this.#namings = this.#namings.filter((naming) => !isDone(naming));
  }

  #touch(node: Node): number {
    node.changedAt = this.#now();
    return node.changedAt;
  }

  #assertRoom(bytes: number): void {
    if (bytes > 0 && (this.isTaken || bytes > this.freeBytes())) throw new DiskError('ENOSPC');
  }

  #assertWritable(): void {
    if (this.isReadOnly) throw new DiskError('EROFS');
  }
}

function nameIn(names: Names, folder: number, name: string, node: number | undefined): void {
  const inFolder = names.get(folder) ?? new Map<string, number>();
  names.set(folder, inFolder);
  if (node === undefined) inFolder.delete(name);
  else inFolder.set(name, node);
}

const copyOf = (names: Names): Names =>
  new Map([...names].map(([folder, inFolder]) => [folder, new Map(inFolder)]));

function apply(contents: Contents, change: Change): void {
  if ('length' in change) contents.resize(change.length);
  else contents.write(change.offset, change.bytes);
}

/** What of a write a disk does at once. */
function* piecesOf(change: Change): Iterable<Change> {
  if ('length' in change) {
    yield change;
    return;
  }
  const { offset, bytes } = change;
  for (let at = 0; at < bytes.byteLength; ) {
    const length = Math.min(sectorBytes - ((offset + at) % sectorBytes), bytes.byteLength - at);
    yield { offset: offset + at, bytes: bytes.subarray(at, at + length) };
    at += length;
  }
}
