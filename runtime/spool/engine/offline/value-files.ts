// The value log of a stopped store, read segment by segment; none is kept.
import { maxValueSegmentBytes } from '../limits.ts';
import { valuesFolder } from '../open-engine.ts';
import type { Entry } from '../store.ts';
import { valueSegmentName, valueSegmentNumber } from '../value-log.ts';
import {
  type ValuePointer,
  type ValueRecord,
  valueHeadBytes,
  valueRecordAt,
  valueRecordsIn,
} from '../value-record.ts';
import { SubFolder } from './sub-folder.ts';

export class ValueFiles {
  readonly folder: SubFolder;

  constructor(store: string) {
    this.folder = new SubFolder(store, valuesFolder, (name) => valueSegmentNumber(name) !== undefined);
  }

  /** The value to which the pointer leads, cut short where the segment ends: its own sum shows damage. */
  read(key: Uint8Array, { segment, offset, length }: ValuePointer): Buffer {
    const { folder } = this;
    const name = valueSegmentName(segment);
    if (!folder.sizes.has(name)) {
      folder.report('damage', name, 'the file is missing');
      return Buffer.alloc(0);
    }
    const head = valueHeadBytes(key);
    const bytes = folder.read(name, offset, head + length);
    const found = valueRecordAt(bytes, 0);
    if (found === undefined || !found.key.equals(key) || found.length !== length) {
      folder.report('damage', name, `at byte ${offset} there is another record than the pointer says`);
    } else if (found.value.byteLength < length) {
      folder.report('damage', name, `it ends within the record that begins at byte ${offset}`);
    }
    return bytes.subarray(head);
  }

  /** Whether the pointer leads to that value. */
  has(key: Uint8Array, { segment, offset, length }: ValuePointer): boolean {
    const name = valueSegmentName(segment);
    if (!this.folder.sizes.has(name)) return false;
    const found = valueRecordAt(this.folder.read(name, offset, valueHeadBytes(key) + length), 0);
    return found?.key.equals(key) === true && found.length === length;
  }

  /** By number. */
  get sizes(): ReadonlyMap<number, number> {
    return new Map([...this.folder.sizes].map(([name, size]) => [valueSegmentNumber(name)!, size]));
  }

  /** All values whose heads are whole. Holds one segment at a time. */
  *all(): Generator<Entry> {
    for (const segment of this.sizes.keys())
      for (const { key, value } of this.recordsOf(segment)) yield { key, value };
  }

  recordsOf(segment: number): Iterable<ValueRecord> {
    const name = valueSegmentName(segment);
    const size = this.folder.sizes.get(name) ?? 0;
    return valueRecordsIn(this.folder.read(name, 0, Math.min(size, maxValueSegmentBytes)));
  }
}
