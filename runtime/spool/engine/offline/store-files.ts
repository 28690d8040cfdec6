// A stopped store's folder, read without being written to: LevelDB's files, with what the write-ahead log says since its
// last checkpoint laid over them, and values in place of pointers. It is what the module would find after a replay, but
// nothing is replayed.
import { HoldfastError } from '../../../../kernel/errors.ts';
import type { KeySpaces } from '../key-spaces.ts';
import { LevelFiles } from '../leveldb/level-files.ts';
import { maxWalSegmentBytes } from '../limits.ts';
import { lowerBound } from '../lower-bound.ts';
import { walFolder } from '../open-engine.ts';
import { overlay } from '../overlay.ts';
import { mostNamed } from '../segment-head.ts';
import { decodeDurable, decodeIdentity, durableKey, identityKey, isOwnKey } from '../state.ts';
import type { Entry } from '../store.ts';
import { cutSince, writtenSince } from '../value-checks.ts';
import { valueSegmentName } from '../value-log.ts';
import { decodeValuePointer } from '../value-record.ts';
import { isWalSegment } from '../wal.ts';
import type { FileProblem, StoreSource } from './entry-source.ts';
import { SubFolder } from './sub-folder.ts';
import { ValueFiles } from './value-files.ts';
import { type NewerEntry, newerEntry, type WalOverlay, walOverlayOf } from './wal-overlay.ts';

// The log is held while the store is open. A module that runs has some 10 MB of it.
const maxWalBytes = 512 * 1024 * 1024;

export interface StoreFilesOptions {
  /** False: it is not the one of these logs, and left alone. */
  readonly index?: boolean;
  /** Whose logs count where the index does not say: for certain, or only if one of their segments says so too. */
  readonly expected?: { readonly identity: string; readonly isCertain: boolean } | undefined;
}

export class StoreFiles implements StoreSource {
  readonly folder: string;
  readonly files: ReadonlyMap<string, number>;
  /** Bytes by part. */
  readonly shares: { readonly index: number; readonly wal: number; readonly values: number };
  #index: LevelFiles | undefined;
  readonly #wal: SubFolder;
  readonly #values: ValueFiles;
  readonly #overlay: WalOverlay;
  /** The store's identity, as its index has it, else as it was given, else as most segments have it. */
  readonly identity: string | undefined;
  /** Segments of another store, which are left out. */
  readonly foreign: readonly string[];
  readonly #problems: FileProblem[] = [];

  /** @throws HoldfastError `spool-unreadable` when the folder cannot be listed or holds nothing of a store. */
  constructor(folder: string, spaces: KeySpaces, { index = true, expected }: StoreFilesOptions = {}) {
    this.folder = folder;
    this.#wal = new SubFolder(folder, walFolder, isWalSegment);
    this.#values = new ValueFiles(folder);
    this.#index = index ? this.#openIndex() : undefined;
    if (!index)
      this.#problems.push({ severity: 'damage', file: 'CURRENT', reason: 'the index is another one' });
    this.identity = decodeIdentity(this.#index?.get(identityKey)) ?? this.#ofLogs(expected);
    this.foreign = this.#leaveOutForeign();
    this.#overlay = this.#readWal(spaces);
    const folders = [this.#wal, this.#values.folder];
    this.files = new Map([
      ...(this.#index?.files ?? []),
      ...folders.flatMap((each) => [...each.sizes].map(([name, size]) => [each.pathOf(name), size] as const)),
    ]);
    const [wal, values] = [this.#wal.bytes, this.#values.folder.bytes];
    this.shares = { index: this.#index?.bytes ?? 0, wal, values };
  }

  get problems(): readonly FileProblem[] {
    const ofLogs = [...this.#wal.problems, ...this.#values.folder.problems];
    return [...(this.#index?.problems ?? []), ...this.#problems, ...ofLogs];
  }

  get bytes(): number {
    const { index, wal, values } = this.shares;
    return index + wal + values;
  }

  check(): void {
    this.#index?.check();
    const { toReplay } = this.#overlay;
    const text = `${toReplay} batches since the last checkpoint: the next start replays them`;
    if (toReplay > 0) this.#wal.report('note', '', text);
  }

  close(): void {
    this.#index?.close();
    this.#wal.close();
    this.#values.folder.close();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (isOwnKey(key)) return undefined;
    const value = this.#index?.get(key);
    const entry = newerEntry(this.#overlay, key) ?? (value === undefined ? undefined : { key, value });
    return entry && this.#resolve(entry);
  }

  /**
   * For people, where the opening refuses the store although the index is right: the write-ahead log lost records, and a value was
   * written since the last checkpoint that nothing names. See recovery.ts.
   */
  strayValue(): string | undefined {
    const sizes = this.#values.sizes;
    const isLossy = this.#wal.problems.some(({ severity }) => severity === 'damage') || this.#isCut(sizes);
    if (!isLossy) return undefined;
    for (const { segment, from } of writtenSince(this.#overlay, sizes)) {
      for (const { key, offset } of this.#values.recordsOf(segment)) {
        if (offset < from || this.get(key) !== undefined) continue;
        return `${valueSegmentName(segment)} holds a value at ${offset} without a pointer in the index`;
      }
    }
    return undefined;
  }

  /** Of what the index has a pointer into, and will have after a replay. */
  #isCut(sizes: ReadonlyMap<number, number>): boolean {
    const cut = new Set(cutSince(this.#overlay, sizes).map(({ segment }) => segment));
    if (cut.size === 0) return false;
    const all = this.#index?.scan(Buffer.of(), Buffer.of(255)) ?? [];
    for (const entry of overlay<Entry, NewerEntry>(all, this.#overlay.entries)) {
      if (entry.value === undefined) continue;
      const pointer = decodeValuePointer(entry.key, entry.value);
      if (pointer !== undefined && cut.has(pointer.segment)) return true;
    }
    return false;
  }

  /** Whether a segment of the logs that is read names that store. */
  names(identity: string | undefined): boolean {
    const folders = [this.#wal, this.#values.folder];
    return (
      identity !== undefined && folders.some((each) => [...each.identities().values()].includes(identity))
    );
  }

  /** The value in the index alone. */
  inIndex(key: Uint8Array): Uint8Array | undefined {
    return this.#index?.get(key);
  }

  /** Counts which of the first `limit` values that the index names are in the value log, and which are not. */
  named(gte: Uint8Array, lt: Uint8Array, limit: number): { found: number; astray: number } {
    const count = { found: 0, astray: 0 };
    for (const { key, value } of this.#index?.scan(gte, lt) ?? []) {
      const pointer = decodeValuePointer(key, value);
      if (pointer === undefined) continue;
      if (this.#values.has(key, pointer)) count.found++;
      else count.astray++;
      if (count.found + count.astray >= limit) break;
    }
    return count;
  }

  *scan(gte: Uint8Array, lt: Uint8Array): Generator<Entry> {
    const { entries } = this.#overlay;
    const newer = entries.slice(lowerBound(entries, gte), lowerBound(entries, lt));
    for (const entry of overlay<Entry, NewerEntry>(this.#index?.scan(gte, lt) ?? [], newer)) {
      if (isOwnKey(entry.key)) continue;
      const value = this.#resolve(entry);
      if (value !== undefined) yield { key: entry.key, value };
    }
  }

  /** Those without a pointer in the index too. */
  values(): Iterable<Entry> {
    return this.#values.all();
  }

  /** Undefined: it is deleted. */
  #resolve(entry: Entry | (Partial<NewerEntry> & { key: Uint8Array })): Uint8Array | undefined {
    if ('separated' in entry) return entry.separated;
    if (entry.value === undefined) return undefined;
    const pointer = decodeValuePointer(entry.key, entry.value);
    return pointer === undefined ? entry.value : this.#values.read(entry.key, pointer);
  }

  #openIndex(): LevelFiles | undefined {
    try {
      return new LevelFiles(this.folder);
    } catch (error) {
      const isLost = error instanceof HoldfastError && error.code === 'spool-unreadable';
      if (!isLost || this.#wal.sizes.size + this.#values.folder.sizes.size === 0) throw error;
      this.#problems.push({ severity: 'damage', file: 'CURRENT', reason: 'the index is missing altogether' });
      return undefined;
    }
  }

  #ofLogs(expected: StoreFilesOptions['expected']): string | undefined {
    if (expected !== undefined && (expected.isCertain || this.names(expected.identity)))
      return expected.identity;
    const folders = [this.#values.folder, this.#wal];
    return mostNamed(folders.flatMap((each) => [...each.identities().values()]));
  }

  #leaveOutForeign(): readonly string[] {
    const left: string[] = [];
    for (const folder of [this.#wal, this.#values.folder]) {
      for (const [name, identity] of folder.identities()) {
        if (identity === this.identity) continue;
        left.push(folder.pathOf(name));
        folder.report('damage', name, `it belongs to spool ${identity}, this is ${this.identity}`);
        folder.leaveOut(name);
      }
    }
    return left;
  }

  #readWal(spaces: KeySpaces): WalOverlay {
    let left = maxWalBytes;
    const files = [...this.#wal.sizes].map(([name, size]) => {
      const length = Math.min(size, maxWalSegmentBytes, left);
      left -= length;
      if (length < size) this.#wal.report('damage', name, `of its ${size} bytes only ${length} are read`);
      return { name, bytes: this.#wal.read(name, 0, length) };
    });
    const found = walOverlayOf(files, decodeDurable(this.#index?.get(durableKey)), spaces);
    for (const reason of found.losses) this.#wal.report('damage', '', reason);
    // Files that the MANIFEST no longer names may still be there.
    if (this.#index !== undefined && found.wentBack !== undefined) {
      this.#problems.push({ severity: 'damage', file: 'CURRENT', reason: found.wentBack });
      this.#index.close();
      this.#index = new LevelFiles(this.folder, { manifest: false });
    }
    return found;
  }
}
