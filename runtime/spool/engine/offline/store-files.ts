// A stopped store's folder, read without being written to: LevelDB's files, and over them what the commit log says
// since its last checkpoint, with the bodies in place of their places. What the module would find after a replay,
// but nothing is replayed. A folder of format 1 has LevelDB's files alone.
import { HoldfastError } from '../../../../kernel/errors.ts';
import { LevelFiles } from '../leveldb/level-files.ts';
import { lowerBound } from '../lower-bound.ts';
import { logFolder } from '../open-engine.ts';
import { decodeDurable, durableKey } from '../parts.ts';
import type { Entry } from '../store.ts';
import { decodePlace } from '../value-record.ts';
import { isLogFile } from '../wal.ts';
import type { FileProblem, StoreSource } from './entry-source.ts';
import { SubFolder } from './sub-folder.ts';
import { BodySource } from './value-files.ts';
import { type LateEntry, type LogOverlay, lateEntry, overlayOf } from './wal-overlay.ts';

// As a start reads it.
const maxLogBytes = 64 * 1024 * 1024;
// The files are held while the store is open. A module that runs has some 10 MB of them.
const maxLogFilesBytes = 512 * 1024 * 1024;

export class StoreFiles implements StoreSource {
  readonly folder: string;
  readonly files: ReadonlyMap<string, number>;
  /** Bytes by part. */
  readonly shares: { readonly index: number; readonly log: number; readonly bodies: number };
  #index: LevelFiles | undefined;
  readonly #log: SubFolder;
  readonly #bodies: BodySource;
  readonly #overlay: LogOverlay;
  readonly #problems: FileProblem[] = [];

  /** @throws HoldfastError `spool-unreadable` when the folder cannot be listed or holds nothing of a store. */
  constructor(folder: string) {
    this.folder = folder;
    this.#log = new SubFolder(folder, logFolder, isLogFile);
    this.#bodies = new BodySource(folder);
    this.#index = this.#openIndex();
    this.#overlay = this.#readLog();
    const { sizes } = this.#bodies.folder;
    this.files = new Map([
      ...(this.#index?.files ?? []),
      ...[...this.#log.sizes].map(([name, size]) => [this.#log.pathOf(name), size] as const),
      ...[...sizes].map(([name, size]) => [this.#bodies.folder.pathOf(name), size] as const),
    ]);
    const [log, bodies] = [this.#log.bytes, this.#bodies.folder.bytes];
    this.shares = { index: this.#index?.bytes ?? 0, log, bodies };
  }

  get problems(): readonly FileProblem[] {
    const parts = [this.#log.problems, this.#bodies.folder.problems];
    return [...(this.#index?.problems ?? []), ...this.#problems, ...parts.flat()];
  }

  get bytes(): number {
    const { index, log, bodies } = this.shares;
    return index + log + bodies;
  }

  check(): void {
    this.#index?.check();
    const { toBeDone } = this.#overlay;
    const again = `${toBeDone} batches since the last checkpoint: the next start does them again`;
    if (toBeDone > 0) this.#log.report('note', '', again);
  }

  close(): void {
    this.#index?.close();
    this.#log.close();
    this.#bodies.folder.close();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (durableKey.equals(key)) return undefined;
    const late = lateEntry(this.#overlay, key);
    if (late !== undefined) return late.value && this.#resolve(late as LateEntry & { value: Buffer });
    const value = this.#index?.get(key);
    return value && this.#resolve({ key, value });
  }

  *scan(gte: Uint8Array, lt: Uint8Array): Generator<Entry> {
    for (const entry of this.#named(gte, lt)) yield { key: entry.key, value: this.#resolve(entry) };
  }

  /** Those that no entry names any more too. */
  bodies(): Iterable<Entry> {
    return this.#bodies.all();
  }

  /** Entries with places as they stand in the index. */
  *#named(gte: Uint8Array, lt: Uint8Array): Generator<Entry & { body?: Buffer }> {
    const { entries } = this.#overlay;
    let at = lowerBound(entries, gte);
    const end = lowerBound(entries, lt);
    for (const entry of this.#index?.scan(gte, lt) ?? []) {
      for (; at < end && Buffer.compare(entries[at]!.key, entry.key) < 0; at++) yield* present(entries[at]!);
      if (at < end && Buffer.compare(entries[at]!.key, entry.key) === 0) yield* present(entries[at++]!);
      else if (!durableKey.equals(entry.key)) yield entry;
    }
    for (; at < end; at++) yield* present(entries[at]!);
  }

  #resolve({ key, value, body }: Entry & { body?: Buffer }): Uint8Array {
    if (body !== undefined) return body;
    const place = decodePlace(key, value);
    return place === undefined ? value : this.#bodies.read(key, place);
  }

  #openIndex(): LevelFiles | undefined {
    try {
      return new LevelFiles(this.folder);
    } catch (error) {
      const isLost = error instanceof HoldfastError && error.code === 'spool-unreadable';
      if (!isLost || this.#log.sizes.size + this.#bodies.folder.sizes.size === 0) throw error;
      this.#problems.push({ severity: 'damage', file: 'CURRENT', reason: 'the index is missing altogether' });
      return undefined;
    }
  }

  #readLog(): LogOverlay {
    let left = maxLogFilesBytes;
    const files = [...this.#log.sizes].map(([name, size]) => {
      const length = Math.min(size, maxLogBytes, left);
      left -= length;
      if (length < size) this.#log.report('damage', name, `of its ${size} bytes only ${length} are read`);
      return { name, bytes: this.#log.read(name, 0, length) };
    });
    const overlay = overlayOf(files, decodeDurable(this.#index?.get(durableKey)));
    for (const reason of overlay.losses) this.#log.report('damage', '', reason);
    // What its MANIFEST no longer names may be there still.
    if (this.#index !== undefined && overlay.wentBack !== undefined) {
      this.#problems.push({ severity: 'damage', file: 'CURRENT', reason: overlay.wentBack });
      this.#index.close();
      this.#index = new LevelFiles(this.folder, { manifest: false });
    }
    return overlay;
  }
}

function* present(entry: LateEntry): Generator<Entry & { body?: Buffer }> {
  if (entry.value !== undefined) yield entry as LateEntry & { value: Buffer };
}
