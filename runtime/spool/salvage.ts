// Puts a store together from a damaged one, record by record: every value whose sum is right comes along,
// everything else is counted. The damaged store is only read.
//
// The order is that of what would be missed most. What names the rest comes first, then what was never sent,
// then the archive, as far as the disk has room. The spool's own counters do not come along: they are
// counted anew, since they speak of records that may be gone.
//
// What is lost needs no list here. A window that is gone is a hole in the stream's coverage, which the detector
// sees; a journal record that is gone splits its window (journal.ts); a pointer that is gone leaves its
// window in the archive, from where a request for the gap sends it.
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { LevelFiles } from './inspect/level-files.ts';
import { idKey, idOf, type KeySpace, maxId, spaceBounds } from './keys.ts';
import { decodePointer } from './message-record.ts';
import type { RecordCodec, RecordKind } from './record.ts';
import type { BatchOp, Entry, Store } from './store.ts';

export interface SalvageReport {
  /** Records that came along, and those whose sum was wrong. */
  readonly kept: number;
  readonly damaged: number;
  /** Places in LevelDB's files that could not be read at all. */
  readonly problems: readonly string[];
  /** The disk had no room for all of the archive. */
  readonly cutShort: boolean;
}

const kinds: Readonly<Record<KeySpace, RecordKind>> = {
  m: 'S',
  s: 'S',
  n: 'N',
  j: 'J',
  r: 'M',
  a: 'A',
  i: 'I',
  u: 'P',
  b: 'P',
  q: 'Q',
  x: 'X',
  d: 'D',
  k: 'K',
  t: 'T',
};
const small: readonly KeySpace[] = ['n', 's', 'k', 't', 'x', 'd', 'j', 'u', 'b', 'q', 'a', 'i'];
const batchBytes = 1024 * 1024;
const maxProblems = 100;

/**
 * @throws HoldfastError `spool-unreadable` when `from` holds no store at all, and whatever `to` throws
 * while the small records and what waits to be sent are written.
 */
export async function salvage(from: string, to: Store, codec: RecordCodec): Promise<SalvageReport> {
  const source = new LevelFiles(from);
  try {
    const copier = new Copier(source, to, codec);
    const waiting = new Set<number>();
    for (const space of small) {
      await copier.copySpace(space, (entry, payload) => {
        if (space === 'u') waiting.add(idOf(entry.key));
        if (space === 'b') waiting.add(decodePointer(payload).id);
        return true;
      });
    }
    await copier.copySpace('r', ({ key }) => waiting.has(idOf(key)));
    const cutShort = await copyArchive(copier, waiting);
    const problems = source.problems.filter(({ severity }) => severity === 'damage');
    return {
      kept: copier.kept,
      damaged: copier.damaged,
      problems: problems.slice(0, maxProblems).map(({ file, reason }) => `${file}: ${reason}`),
      cutShort,
    };
  } finally {
    source.close();
  }
}

async function copyArchive(copier: Copier, waiting: ReadonlySet<number>): Promise<boolean> {
  try {
    await copier.copySpace('r', ({ key }) => !waiting.has(idOf(key)));
    return false;
  } catch (error) {
    // The archive is a convenience: what the disk has no room for is left out. Its entries in the index lead
    // nowhere then, which a search for them notices.
    if (error instanceof HoldfastError && error.code === 'store-write-failed') return true;
    throw error;
  }
}

class Copier {
  readonly #source: LevelFiles;
  readonly #to: Store;
  readonly #codec: RecordCodec;
  readonly #counted = new Set<string>();
  kept = 0;
  damaged = 0;

  constructor(source: LevelFiles, to: Store, codec: RecordCodec) {
    this.#source = source;
    this.#to = to;
    this.#codec = codec;
  }

  async copySpace(space: KeySpace, wants: (entry: Entry, payload: Buffer) => boolean): Promise<void> {
    const { gte, lt } = space === 'r' ? { gte: idKey('r', 0), lt: idKey('r', maxId) } : spaceBounds(space);
    let ops: BatchOp[] = [];
    let bytes = 0;
    const write = async () => {
      await this.#to.batch(ops, { sync: true });
      this.kept += ops.length;
      ops = [];
      bytes = 0;
    };
    for (const entry of this.#source.scan(gte, lt)) {
      if (!this.#isWanted(space, entry, wants)) continue;
      ops.push({ type: 'put', key: entry.key, value: entry.value });
      bytes += entry.key.byteLength + entry.value.byteLength;
      if (bytes >= batchBytes) await write();
    }
    if (ops.length > 0) await write();
  }

  #isWanted(space: KeySpace, entry: Entry, wants: (entry: Entry, payload: Buffer) => boolean): boolean {
    try {
      return wants(entry, this.#codec.open(kinds[space], entry.key, entry.value));
    } catch (error) {
      if (!(error instanceof HoldfastError))
        throw new HoldfastError('spool-unreadable', describeError(error));
      // Messages are looked at twice.
      const name = Buffer.from(entry.key).toString('hex');
      if (!this.#counted.has(name)) this.damaged++;
      this.#counted.add(name);
      return false;
    }
  }
}
