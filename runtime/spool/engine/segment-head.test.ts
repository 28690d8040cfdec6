// Which store a segment belongs to: the head by itself, and the engine that writes it.
import { describe, expect, it } from 'vitest';
import { encodeSegmentHead, mostNamed, segmentHeadBytes, segmentIdentity } from './segment-head.ts';
import { decodeIdentity, identityKey } from './state.ts';
import { MemoryDisk } from './testing/memory-engine.ts';
import { largeKey, largeValue, plainKey, put, putLarge } from './testing/test-engine.ts';

const ours = '11111111-1111-4111-a111-111111111111';
const theirs = '22222222-2222-4222-a222-222222222222';

describe('the head of a segment', () => {
  it('names the store, whatever follows it', () => {
    const bytes = Buffer.concat([encodeSegmentHead(ours), Buffer.from('HFW1 and more')]);
    expect(segmentIdentity(bytes)).toBe(ours);
    expect(segmentIdentity(bytes.subarray(0, segmentHeadBytes))).toBe(ours);
  });

  it('of a store without an identity is empty, and no bytes but a whole head name one', () => {
    expect(encodeSegmentHead(undefined)).toHaveLength(0);
    expect(segmentIdentity(Buffer.alloc(0))).toBeUndefined();
    expect(segmentIdentity(Buffer.alloc(100))).toBeUndefined();
    const head = encodeSegmentHead(ours);
    expect(segmentIdentity(head.subarray(0, -1))).toBeUndefined();
    for (let at = 0; at < head.byteLength; at++) {
      const damaged = Buffer.from(head);
      damaged[at]! ^= 1;
      expect(segmentIdentity(damaged), `byte ${at}`).toBeUndefined();
    }
  });

  it('is counted over all of them: the store that most name', () => {
    expect(mostNamed([])).toBeUndefined();
    expect(mostNamed([theirs, ours, ours])).toBe(ours);
  });
});

/** Batches that fill several segments of both logs. */
async function written(identity?: string): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const { store } = await disk.open(identity === undefined ? {} : { identity });
  expect(store.identity).toBe(identity);
  for (let n = 0; n < 40; n++)
    await store.batch([putLarge(n), put(plainKey(`${n}`), 'x'.repeat(300))], { sync: true });
  return disk;
}
const named = ({ contents }: { contents: ReadonlyMap<string, Buffer> }) =>
  new Set([...contents.values()].map((bytes) => segmentIdentity(bytes)));

describe('an engine', () => {
  it('names its store in its index and in every segment, also in those that are used again, start after start', async () => {
    let disk = await written(ours);
    for (let start = 0; start < 3; start++) {
      disk = disk.killed();
      const { store, problem } = await disk.open({ identity: theirs });
      expect([store.identity, problem]).toEqual([ours, undefined]);
      for (let n = 0; n < 40; n++) await store.batch([putLarge(n + start)], { sync: true });
      expect(await store.get(largeKey(3 + start))).toEqual(largeValue(3 + start));
      expect(decodeIdentity(await disk.index.get(identityKey))).toBe(ours);
      expect(disk.wal.contents.size).toBeGreaterThan(1);
      expect(disk.values.contents.size).toBeGreaterThan(1);
      expect([...named(disk.wal), ...named(disk.values)]).toEqual([ours, ours]);
    }
  });

  it('shows its own keys to nobody', async () => {
    const disk = await written(ours);
    const { store } = await disk.killed().open();
    const all = await store.range({ gte: Buffer.of(0), lt: Buffer.of(255), limit: 1000 });
    expect(all.map(({ key }) => key[0])).not.toContain(0);
  });

  it('whose index lost it takes it from the log', async () => {
    const disk = (await written(ours)).killed();
    disk.index.damage(identityKey, () => undefined);
    const { store } = await disk.open({ identity: theirs });
    expect(store.identity).toBe(ours);
    expect(decodeIdentity(await disk.index.get(identityKey))).toBe(ours);
  });

  it('of a store that was begun without one has none, and is used as it is', async () => {
    const disk = (await written()).killed();
    const { store, problem } = await disk.open({ identity: ours });
    expect([store.identity, problem]).toEqual([undefined, undefined]);
    expect([...named(disk.wal), ...named(disk.values)]).toEqual([undefined, undefined]);
    expect(await store.get(largeKey(7))).toEqual(largeValue(7));
  });

  it('refuses a segment of the log that is another store’s: nothing of it is replayed', async () => {
    const disk = (await written(ours)).killed();
    const other = (await written(theirs)).killed();
    const [[, bytes] = []] = other.wal.contents;
    disk.wal.contents.set('0099.wal', bytes!);
    await expect(disk.open()).rejects.toMatchObject({
      code: 'store-damaged',
      message: expect.stringContaining(`0099.wal belongs to the store ${theirs}, this is ${ours}`),
    });
  });
});
