// An engine over index and files in memory, so that a test can damage any byte and end a process at any point.
import { type OpenedEngine, openEngine } from '../engine.ts';
import type { IndexStore } from '../index-store.ts';
import type { EngineLimits } from '../limits.ts';
import { recordsIn } from '../wal-record.ts';
import { MemoryFiles } from './memory-files.ts';
import { MemoryStore } from './memory-store.ts';
import { smallLimits, testSpaces } from './test-engine.ts';

export class MemoryIndex extends MemoryStore implements IndexStore {
  async sync(): Promise<void> {}

  override restarted(): MemoryIndex {
    const next = new MemoryIndex();
    next.load(this.entries);
    return next;
  }
}

export class MemoryDisk {
  readonly index: MemoryIndex;
  readonly wal: MemoryFiles;
  readonly values: MemoryFiles;
  readonly limits: Partial<EngineLimits>;

  constructor(
    limits: Partial<EngineLimits> = {},
    { index = new MemoryIndex(), wal = new MemoryFiles(), values = new MemoryFiles() } = {},
  ) {
    this.limits = limits;
    this.index = index;
    this.wal = wal;
    this.values = values;
  }

  open(more: { readonly skipUnreadable?: boolean; readonly identity?: string } = {}): Promise<OpenedEngine> {
    const { index, wal, values } = this;
    const limits = { ...smallLimits, ...this.limits };
    return openEngine({ index, wal, values, spaces: testSpaces, limits, ...more });
  }

  /** What the next process finds when this one is killed. With `index` false the index never had a batch. */
  killed({ index = true }: { readonly index?: boolean } = {}): MemoryDisk {
    return new MemoryDisk(this.limits, {
      index: index ? this.index.restarted() : new MemoryIndex(),
      wal: this.wal.copy(),
      values: this.values.copy(),
    });
  }

  /** Spoils the payload of the log's nth batch, counted from 1 (in one segment, which must be the only one). */
  damageBatch(nth: number): void {
    const [[, bytes] = []] = this.wal.contents;
    const record = [...recordsIn(bytes!)].filter(({ kind }) => kind === 'batch')[nth - 1]!;
    bytes!.fill(0xee, record.offset, record.offset + 4);
  }
}
