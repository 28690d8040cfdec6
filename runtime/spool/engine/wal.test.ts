import { describe, expect, it } from 'vitest';
import { defaultLimits } from './limits.ts';
import { MemoryFiles } from './testing/memory-files.ts';
import { Wal } from './wal.ts';
import { recordHeadBytes } from './wal-record.ts';
import { readWal } from './wal-replay.ts';

const limits = { ...defaultLimits, walSegmentBytes: 1000, walPreallocateBytes: 300, walSpareSegments: 1 };

function makeWal() {
  const files = new MemoryFiles();
  const calls: string[] = [];
  files.onCall = (what, name) => calls.push(`${what} ${name}`);
  return { files, calls, wal: new Wal(files, limits) };
}

const append = (wal: Wal, sequence: number, bytes: number, synced = true) =>
  wal.append({ kind: 'batch', sequence, synced }, [Buffer.alloc(bytes, sequence)]);

const contentsOf = (files: MemoryFiles) =>
  readWal([...files.contents].map(([name, bytes]) => ({ name, bytes })));

describe('the write-ahead log', () => {
  it('tells where each payload lies', async () => {
    const { wal, files } = makeWal();
    for (const sequence of [1, 2, 3]) {
      const { generation, offset } = await append(wal, sequence, 100);
      const bytes = files.contents.get(wal.nameOf(generation)!)!;
      expect(bytes.subarray(offset, offset + 100)).toEqual(Buffer.alloc(100, sequence));
    }
  });

  it('lengthens its file only now and then: most records overwrite zeros', async () => {
    const { wal, files } = makeWal();
    const lengths = new Set<number>();
    for (let n = 1; n <= 8; n++) {
      await append(wal, n, 76);
      lengths.add(files.contents.get('0001.wal')!.byteLength);
    }
    expect(lengths.size).toBe(2);
  });

  it('syncs a segment before it begins the next, whatever was asked for', async () => {
    const { wal, calls } = makeWal();
    for (let n = 1; n <= 12; n++) await append(wal, n, 200, false);
    const firstOfNext = calls.indexOf('write 0002.wal');
    expect(firstOfNext).toBeGreaterThan(0);
    expect(calls[firstOfNext - 1]).toBe('sync 0001.wal');
  });

  it('gives a record that is larger than a segment one of its own', async () => {
    const { wal, files } = makeWal();
    await append(wal, 1, 10);
    await append(wal, 2, 5000);
    await append(wal, 3, 10);
    expect(files.contents.size).toBe(3);
    expect(contentsOf(files).after.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  });

  it('uses released segments again, keeps a spare one, and removes the rest', async () => {
    const { wal, files } = makeWal();
    for (let n = 1; n <= 20; n++) await append(wal, n, 400);
    expect(files.contents.size).toBe(10);
    await wal.release([]);
    expect(files.contents.size).toBe(2);
    for (let n = 21; n <= 24; n++) await append(wal, n, 400);
    expect([...files.contents.keys()].sort()).toEqual(['0001.wal', '0002.wal', '0010.wal']);
    // What an earlier use left behind the new records does not count: its generation is older than the checkpoint's.
    expect(contentsOf(files).lastSequence).toBe(24);
  });

  it('keeps the segments of generations that are still needed', async () => {
    const { wal, files } = makeWal();
    const { generation } = await append(wal, 1, 900);
    for (let n = 2; n <= 6; n++) await append(wal, n, 900);
    const name = wal.nameOf(generation)!;
    const before = files.contents.get(name)!;
    await wal.release([generation]);
    for (let n = 7; n <= 12; n++) await append(wal, n, 900);
    expect(wal.nameOf(generation)).toBe(name);
    expect(files.contents.get(name)).toEqual(before);
  });

  it('goes on in a new generation behind what a start found', async () => {
    const { wal, files } = makeWal();
    await append(wal, 1, 100);
    const next = new Wal(files, limits);
    const all = await files.list();
    next.adopt({ inUse: new Map([[1, '0001.wal']]), lastGeneration: 1, all, bad: new Set() });
    const { generation } = await append(next, 2, 100);
    expect([generation, next.nameOf(2)]).toEqual([2, '0002.wal']);
  });

  it('counts what was written since the last checkpoint', async () => {
    const { wal } = makeWal();
    await append(wal, 1, 100);
    await append(wal, 2, 50);
    expect(wal.sinceCheckpoint).toBe(150 + 2 * recordHeadBytes);
    await wal.release([]);
    expect(wal.sinceCheckpoint).toBe(0);
  });
});
