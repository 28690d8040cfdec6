import { describe, expect, it } from 'vitest';
import { defaultLimits } from './limits.ts';
import { MemoryFiles } from './testing/memory-files.ts';
import { ValueLog } from './value-log.ts';
import { type ValuePointer, valueRecordAt } from './value-record.ts';

const limits = { ...defaultLimits, valueSegmentBytes: 1000 };
const key = (id: number) => Buffer.from(`k${String(id).padStart(4, '0')}`);

function makeLog() {
  const files = new MemoryFiles();
  const log = new ValueLog(files, limits);
  const write = async (id: number, bytes = 300): Promise<ValuePointer> => {
    const value = Buffer.alloc(bytes, id);
    const pointer = log.allocate(key(id), bytes);
    await log.write([{ key: key(id), value, pointer }]);
    log.addReference(key(id), pointer);
    return pointer;
  };
  const segments = () => [...files.contents.keys()].map((name) => Number.parseInt(name, 10));
  return { files, log, write, segments };
}

describe('the value log', () => {
  it('gives back the record to which a pointer leads', async () => {
    const { log, write } = makeLog();
    const pointers = [await write(1), await write(2, 50), await write(3)];
    for (const [n, { segment, offset, length }] of pointers.entries()) {
      const record = valueRecordAt(await log.read(segment, offset, 14 + 5 + length), 0)!;
      expect(record.key).toEqual(key(n + 1));
      expect(record.value).toEqual(Buffer.alloc(length, n + 1));
    }
  });

  it('begins a new segment once one is full, and syncs each that was written to', async () => {
    const { files, log, write } = makeLog();
    for (let n = 1; n <= 7; n++) await write(n);
    const synced: string[] = [];
    files.onCall = (what, name) => what === 'sync' && synced.push(name);
    await log.sync();
    await log.sync();
    expect(synced).toEqual(['00000001.values', '00000002.values']);
  });

  it('removes a segment without references, and not before the deletion is on the disk', async () => {
    const { log, write, segments } = makeLog();
    const first = [await write(1), await write(2), await write(3), await write(4)];
    await write(5);
    for (const [n, pointer] of first.entries()) log.dropReference(pointer, 10 + n);
    await log.removeUnreferenced(12);
    expect(segments()).toEqual([1, 2]);
    await log.removeUnreferenced(13);
    expect(segments()).toEqual([2]);
  });

  it('keeps a segment to which a pointer came back', async () => {
    const { log, write, segments } = makeLog();
    const pointer = await write(1, 1000);
    await write(2);
    log.dropReference(pointer, 5);
    log.addReference(key(1), pointer);
    await log.removeUnreferenced(9);
    expect(segments()).toEqual([1, 2]);
  });

  it('never removes the segment that it writes to', async () => {
    const { log, write, segments } = makeLog();
    log.dropReference(await write(1), 1);
    await log.removeUnreferenced(9);
    expect(segments()).toEqual([1]);
    await write(2, 1000);
    await write(3);
    expect(segments()).toEqual([1, 2]);
  });

  it('names the segment with the smallest share of live bytes, once garbage is more than a quarter', async () => {
    const { log, write } = makeLog();
    const pointers: ValuePointer[] = [];
    for (let n = 0; n < 24; n++) pointers.push(await write(n, 300));
    expect(log.sparsestSegment()).toBeUndefined();
    for (const n of [0, 4, 5, 6, 8]) log.dropReference(pointers[n]!, 1);
    // More than two segments' worth is needed.
    expect(log.sparsestSegment()).toBeUndefined();
    for (const n of [9, 12]) log.dropReference(pointers[n]!, 1);
    const sparsest = log.sparsestSegment();
    expect(sparsest).toBe(2);
    log.markUnreadable(2);
    expect(log.sparsestSegment()).not.toBe(2);
  });

  it('restores what a checkpoint says of it', async () => {
    const { files, log, write } = makeLog();
    for (let n = 1; n <= 7; n++) await write(n);
    const next = new ValueLog(files, limits);
    next.restore(log.usage(), new Map((await files.list()).map(({ bytes }, n) => [n + 1, bytes])));
    expect(next.usage()).toEqual(log.usage());
    expect(next.allocate(key(8), 10)).toEqual(log.allocate(key(8), 10));
  });

  it('goes on in another segment where the last one may not be written to', async () => {
    const { files, log, write } = makeLog();
    await write(1);
    files.onCall = () => {
      throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
    };
    expect(await log.canWrite()).toBe(false);
    log.rotate();
    expect(log.allocate(key(2), 10).segment).toBe(2);
  });
});
