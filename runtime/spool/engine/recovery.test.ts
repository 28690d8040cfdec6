// What an opening does with damage to the logs: what it refuses, what it reports, and what is lost.
import { describe, expect, it } from 'vitest';
import type { Store } from './store.ts';
import { MemoryDisk } from './testing/memory-engine.ts';
import { del, hotKey, largeKey, largeValue, plainKey, put, putLarge, walKey } from './testing/test-engine.ts';
import { recordsIn } from './wal-record.ts';

const oneSegment = { walSegmentBytes: 1e6, checkpointBytes: 1e9 };
const frequent = { checkpointBytes: 2000 };

/** Twelve batches, each with a large value, a value of the log alone and a plain one. */
async function filled(limits: object): Promise<MemoryDisk> {
  const disk = new MemoryDisk(limits);
  const { store } = await disk.open();
  for (let n = 1; n <= 12; n++)
    await store.batch([putLarge(n), put(plainKey(`${n}`), 'x'), put(walKey(1, n), 'w')], { sync: true });
  return disk;
}

const mediumError = () => Object.assign(new Error('EIO'), { code: 'EIO' });
const fullError = () => Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
const has = async (store: Store, key: Uint8Array) => (await store.get(key)) !== undefined;

describe('segments of the value log', () => {
  it.each(['the first', 'all'])('that are missing are reported: %s', async (which) => {
    const disk = (await filled(frequent)).killed();
    const names = [...disk.values.contents.keys()].sort();
    for (const name of which === 'all' ? names : names.slice(0, 1)) disk.values.contents.delete(name);
    const { store, problem } = await disk.open();
    expect(problem).toMatch(/00000001\.values is missing: it held \d+ values, of which some may be lost/);
    // A lost value is found out when it is read; the rest goes on.
    expect(await store.get(largeKey(1))).not.toEqual(largeValue(1));
    expect(await has(store, plainKey('1'))).toBe(true);
    await store.batch([putLarge(99)], { sync: true });
    expect(await store.get(largeKey(99))).toEqual(largeValue(99));
  });

  it('that are cut short are reported with what they have', async () => {
    const disk = (await filled(frequent)).killed();
    disk.values.contents.set(
      '00000001.values',
      disk.values.contents.get('00000001.values')!.subarray(0, 700),
    );
    const { store, problem } = await disk.open();
    expect(problem).toMatch(/00000001\.values has 700 of \d+ bytes: it held \d+ values/);
    expect(await store.get(largeKey(12))).toEqual(largeValue(12));
  });

  it('that the power emptied are whole again after the replay, and nothing is reported', async () => {
    const disk = (await filled(oneSegment)).killed();
    for (const name of disk.values.contents.keys()) disk.values.contents.set(name, Buffer.alloc(0));
    const { store, problem } = await disk.open();
    expect(problem).toBeUndefined();
    for (let n = 1; n <= 12; n++) expect(await store.get(largeKey(n))).toEqual(largeValue(n));
  });

  it('that were removed, and begun again by a replay that was cut off itself, are no damage', async () => {
    const disk = new MemoryDisk(oneSegment);
    const { store } = await disk.open();
    await store.batch([putLarge(1)], { sync: true });
    await store.compactRange(Buffer.from('L'), Buffer.from('M'));
    const index = disk.index.restarted();
    for (const n of [2, 3, 4, 5, 6]) await store.batch([putLarge(n)], { sync: true });
    await store.batch(
      [1, 2, 3, 4, 5, 6].map((n) => del(largeKey(n))),
      { sync: true },
    );
    await store.batch([putLarge(7)], { sync: true });
    const { wal, values } = disk.killed();
    expect([...values.contents.keys()]).toEqual(['00000002.values']);
    values.contents.set('00000001.values', Buffer.alloc(0));
    const { store: again, problem } = await new MemoryDisk(oneSegment, { index, wal, values }).open();
    expect(problem).toBeUndefined();
    expect(await again.get(largeKey(7))).toEqual(largeValue(7));
  });

  it('with a value to which only a lost record pointed are not removed: the store is refused', async () => {
    const disk = (await filled({ ...oneSegment, directValueBytes: 1 })).killed({ index: false });
    disk.damageBatch(5);
    await expect(disk.open()).rejects.toMatchObject({
      code: 'store-damaged',
      message: expect.stringMatching(
        /1 records of the write-ahead log.* holds a value at \d+ without a pointer/,
      ),
    });
    expect(disk.values.contents.size).toBeGreaterThan(2);
  });
});

describe('the write-ahead log', () => {
  it('loses a damaged record, keeps what follows it, and says so', async () => {
    const disk = (await filled(oneSegment)).killed({ index: false });
    disk.values.contents.clear();
    disk.damageBatch(5);
    const { store, problem } = await disk.open();
    expect(problem).toMatch(/1 records of the write-ahead log cannot be read/);
    for (const n of [4, 6, 12]) {
      expect(await has(store, plainKey(`${n}`)), `batch ${n}`).toBe(true);
      expect(await has(store, walKey(1, n)), `batch ${n}`).toBe(true);
      expect(await store.get(largeKey(n))).toEqual(largeValue(n));
    }
    for (const key of [plainKey('5'), walKey(1, 5), largeKey(5)]) expect(await has(store, key)).toBe(false);
  });

  it('ends at a torn last record, which is no damage', async () => {
    const disk = (await filled(oneSegment)).killed({ index: false });
    disk.values.contents.clear();
    disk.damageBatch(12);
    const { store, problem } = await disk.open();
    expect(problem).toBeUndefined();
    expect([await has(store, plainKey('11')), await has(store, plainKey('12'))]).toEqual([true, false]);
  });

  it('counts values that a checkpoint retained and no segment has any more', async () => {
    const disk = new MemoryDisk();
    const { store } = await disk.open();
    await store.batch([put(walKey(3, 1), 'a'), put(walKey(3, 2), 'b')], { sync: true });
    await store.close();
    const next = disk.killed();
    next.damageBatch(1);
    const { store: again, problem } = await next.open();
    expect(problem).toMatch(/2 values are missing from the write-ahead log/);
    expect(await has(again, walKey(3, 1))).toBe(false);
  });

  it('is refused where the index is older than the checkpoint says', async () => {
    const disk = await filled(frequent);
    await expect(disk.killed({ index: false }).open()).rejects.toMatchObject({
      code: 'store-damaged',
      message: expect.stringMatching(/the index went back: of \d+ batches that it held it knows 0/),
    });
  });

  it('of which sectors cannot be read is read around, and that segment is not used again', async () => {
    const disk = (await filled({ walSegmentBytes: 6000, checkpointBytes: 30_000 })).killed();
    const bad = '0001.wal';
    disk.wal.onCall = (what, name, offset) => {
      if (what === 'read' && name === bad && offset === 0) throw mediumError();
    };
    const { store, problem } = await disk.open();
    expect(problem).toMatch(/4096 bytes of 0001\.wal cannot be read/);
    // Its blocks are given back to the disk first: then the name stands for others.
    let isRemoved = false;
    disk.wal.onCall = (what, name) => {
      isRemoved ||= what === 'remove' && name === bad;
      if (what === 'write' && name === bad && !isRemoved) throw mediumError();
    };
    const ofTheLog = Array.from({ length: 12 }, (_, n) => del(walKey(1, n + 1)));
    await store.batch(ofTheLog, { sync: true });
    for (let n = 0; n < 80; n++) await store.batch([put(plainKey(`${n}`), 'x'.repeat(900))], { sync: true });
    expect(isRemoved).toBe(true);
  });

  it('of which nothing can be read is refused, until it is told to do without', async () => {
    const disk = (await filled(oneSegment)).killed();
    const patient = disk.killed();
    for (const { wal } of [disk, patient]) {
      wal.onCall = (what) => {
        if (what === 'read') throw mediumError();
      };
    }
    await expect(patient.open()).rejects.toMatchObject({ code: 'store-open-failed', retryable: true });
    const { store, problem } = await disk.open({ skipUnreadable: true });
    expect(problem).toMatch(/cannot be read/);
    expect(await has(store, plainKey('1'))).toBe(true);
  });
});

describe('an opening after a close', () => {
  it('puts the log on the disk before it trusts it: the one that closed may have been killed before its last sync', async () => {
    const closed = await filled({});
    const { store: last } = await closed.open();
    await last.close();
    const disk = closed.killed();
    const calls: string[] = [];
    disk.wal.onCall = (what, name) => {
      if (what !== 'read') calls.push(`${what} ${name}`);
    };
    await disk.open();
    const newest = calls[0]?.split(' ')[1];
    expect(calls.slice(0, 1)).toEqual([`write ${newest}`]);
    expect(calls).toContain(`sync ${newest}`);
    expect([...recordsIn(disk.wal.contents.get(newest!)!)].at(-1)?.kind).toBe('checkpoint');

    const refusing = closed.killed();
    refusing.wal.onCall = (what) => {
      if (what === 'sync') throw mediumError();
    };
    await expect(refusing.open()).rejects.toMatchObject({ code: 'store-open-failed', retryable: true });
  });
});

describe('an opening that is cut off', () => {
  it('at any write, sync or removal is done again by the next, with the same result', async () => {
    const source = await filled({ checkpointBytes: 5000, walSegmentBytes: 3000 });
    const expected = [...Array(12).keys()].map((n) => largeValue(n + 1));
    for (let at = 1; ; at++) {
      const disk = source.killed();
      let calls = 0;
      const stop = (what: string) => {
        if (what !== 'read' && ++calls >= at) throw fullError();
      };
      disk.wal.onCall = stop;
      disk.values.onCall = stop;
      const opened = await disk.open().catch(() => undefined);
      const next = disk.killed();
      const { store, problem } = await next.open();
      expect(problem, `cut off at call ${at}`).toBeUndefined();
      const found = await store.getMany(expected.map((_, n) => largeKey(n + 1)));
      expect(found, `cut off at call ${at}`).toEqual(expected);
      if (opened !== undefined) return;
    }
  });
});

describe('a reopening', () => {
  it('continues in a new segment of the value log, and a repeated batch is counted once', async () => {
    const disk = new MemoryDisk(oneSegment);
    const { store } = await disk.open();
    const ops = [putLarge(1), putLarge(2)];
    await store.batch(ops, { sync: true });
    await store.reopen();
    await store.batch(ops, { sync: true });
    expect([...disk.values.contents.keys()].sort().at(-1)).toBe('00000002.values');
    await store.batch([del(largeKey(1)), del(largeKey(2)), put(hotKey, 'end')], { sync: true });
    await store.compactRange(Buffer.from('L'), Buffer.from('M'));
    expect([...disk.values.contents.keys()]).toEqual(['00000002.values']);
  });

  it('is needed after a failed write: until then every batch is refused, and reads go on', async () => {
    const disk = new MemoryDisk();
    const { store } = await disk.open();
    await store.batch([put(plainKey('a'), '1')], { sync: true });
    disk.wal.onCall = (what) => {
      if (what === 'write') throw fullError();
    };
    const batch = [put(plainKey('b'), '2')];
    await expect(store.batch(batch, { sync: true })).rejects.toMatchObject({ code: 'store-write-failed' });
    disk.wal.onCall = () => {};
    await expect(store.batch(batch, { sync: true })).rejects.toMatchObject({ code: 'store-needs-reopen' });
    expect(await store.get(plainKey('a'))).toEqual(Buffer.from('1'));
    await store.reopen();
    await store.batch(batch, { sync: true });
    expect(await store.get(plainKey('b'))).toEqual(Buffer.from('2'));
  });

  it('does not forget a batch whose values could not be written after its record was', async () => {
    const disk = new MemoryDisk(oneSegment);
    const { store } = await disk.open();
    disk.values.onCall = (what) => {
      if (what === 'write') throw fullError();
    };
    await expect(store.batch([putLarge(1)], { sync: true })).rejects.toMatchObject({ retryable: true });
    disk.values.onCall = () => {};
    const { store: killed, problem } = await disk.killed().open();
    expect(problem).toBeUndefined();
    expect(await killed.get(largeKey(1))).toEqual(largeValue(1));
  });
});
