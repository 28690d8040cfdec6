import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { layoutOf, writeMarker } from '../folder-layout.ts';
import { idKey, indexKey, sizeClassOf, streamKey, textKey } from '../keys.ts';
import { openSplitFolder } from '../split/open-split-folder.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import { change, closed, openTestSpool, takeAll, window } from '../testing/open-test-spool.ts';
import { listMessages } from './listing.ts';
import { SpoolReader } from './reader.ts';
import { salvage } from './salvage.ts';
import { summarise } from './stats.ts';
import { StoreFiles } from './store-files.ts';
import { damageFile, filesOf, makeFolder, makeRun, openRealSpool, removeFolders } from './testing/folders.ts';
import { sourceOf } from './testing/memory-source.ts';
import { verifySpool } from './verify.ts';

afterAll(removeFolders);

const readerOf = (store: MemoryStore) => new SpoolReader(sourceOf(store));
const damageIn = (reader: SpoolReader) =>
  [...verifySpool(reader)].filter(({ severity }) => severity === 'damage');
const everything = { range: { time: window(-1e15, 1e15), sequence: window(-1e15, 1e15) } };

/** Two streams, windows acknowledged and not, an answer in the backfill lane, an open window, a setting. */
async function makeSpool(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const { spool } = await openTestSpool(store);
  for (const batchId of ['a', 'b']) {
    const windows = [0, 10, 20, 30, 40].map((start) => closed(batchId, window(start, start + 10)));
    await spool.commitWindows([change(batchId, windows)]);
  }
  const sent = await spool.take('live', { messages: 3, bytes: 1e9 });
  await spool.acknowledge(sent);
  const job = { requestId: 'job', batchId: 'a', index: 'sequence', range: window(0, 10) } as const;
  const state = { state: 'running', covered: [], voids: [], createdAt: 1, updatedAt: 1 } as const;
  await spool.save({ ...job, ...state }, { requeue: [sent[0]!.id, sent[1]!.id] });
  const append = {
    start: 50,
    end: 55,
    readings: [{ index: 51, tag: 't', value: 1, quality: 'good' }],
  } as const;
  await spool.commitWindows([{ batchId: 'b', index: 'sequence', closed: [], restart: false, append }]);
  await spool.putSetting('last-good', { sources: [] });
  await spool.close();
  return store;
}

describe('salvaging a spool', () => {
  it('of a whole one takes everything along, lanes and journal included', async () => {
    const store = await makeSpool();
    const out = new MemoryStore();
    const report = await salvage(readerOf(store), out);
    expect(report).toMatchObject({
      lostMessages: 0,
      lostRecordCount: 0,
      lostWindowCount: 0,
      rebuiltStreams: [],
    });
    expect(damageIn(readerOf(out))).toEqual([]);
    expect(summarise(readerOf(out))).toEqual(summarise(readerOf(store)));
    expect([...listMessages(readerOf(out), everything)]).toEqual([
      ...listMessages(readerOf(store), everything),
    ]);
    const { spool } = await openTestSpool(out);
    expect(await spool.getSetting('last-good')).toEqual({ sources: [] });
    // Seven that were never sent, and the window that was still open.
    expect(await takeAll(spool, 'backlog')).toHaveLength(8);
    expect(await takeAll(spool, 'backfill')).toHaveLength(2);
    expect(spool.stream('b')).toMatchObject({ index: 'sequence' });
  });

  it('names the window that is lost, and leaves no trace of it in index, order and lanes', async () => {
    const store = await makeSpool();
    store.damage(idKey('r', 5), (value) => value.fill(0, 20, 30));
    const out = new MemoryStore();
    const report = await salvage(readerOf(store), out);
    expect(report).toMatchObject({
      kept: { messages: 9, windows: 9 },
      lostMessages: 1,
      lostWindows: [{ batchId: 'a', window: window(40, 50) }],
      lostRecords: [{ key: 'r:000000000005', reason: 'the sum does not match' }],
    });
    expect(damageIn(readerOf(out))).toEqual([]);
  });

  it('rebuilds what the messages themselves say: streams, index, order, pointers', async () => {
    const store = await makeSpool();
    const flip = (value: Buffer) => value.fill(value[8]! ^ 1, 8, 9);
    store.damage(textKey('s', 'a'), flip);
    store.damage(streamKey(1), () => undefined);
    store.damage(idKey('u', 5), flip);
    store.damage(idKey('a', 5), flip);
    store.damage(indexKey(1, sizeClassOf(window(0, 10)), 40, 5), () => undefined);
    const out = new MemoryStore();
    const report = await salvage(readerOf(store), out);
    expect(report).toMatchObject({ lostMessages: 0, lostWindowCount: 0, rebuiltStreams: ['a'], unsent: 7 });
    expect(damageIn(readerOf(out))).toEqual([]);
    const { spool } = await openTestSpool(out);
    expect(spool.openStream('a', 'sequence')).toEqual({ floor: 50 });
    expect(await spool.find('a', window(0, 100), 10)).toHaveLength(5);
  });

  it('takes all parts of a window or none', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    const random = seededRandom(7);
    const readings = Array.from({ length: 12 }, (_, index) => {
      const noise = Array.from({ length: 40_000 }, () => String.fromCharCode(33 + randomInt(random, 90)));
      return { index, tag: `t${index}`, value: noise.join(''), quality: 'good' } as const;
    });
    const batch = { batchId: 'a', index: 'sequence', window: window(0, 12), readings } as const;
    await spool.commitWindows([change('a', [{ ...closed('a', window(0, 12)), batch }])]);
    await spool.close();
    const parts = [...readerOf(store).messages()].length;
    const whole = new MemoryStore();
    expect((await salvage(readerOf(store), whole)).kept).toMatchObject({ windows: 1, messages: parts });
    if (parts < 2) throw new Error('the window should have come out in parts');
    store.damage(idKey('r', 2), () => undefined);
    const broken = new MemoryStore();
    expect((await salvage(readerOf(store), broken)).kept).toMatchObject({ windows: 0, messages: 0 });
    expect(damageIn(readerOf(broken))).toEqual([]);
  });

  it('gives a spool without damage whatever was damaged (200 seeds)', async () => {
    const whole = await makeSpool();
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(seed);
      const store = whole.restarted();
      for (let n = randomInt(random, 6); n >= 0; n--) {
        const { entries } = store;
        const { key } = entries[randomInt(random, entries.length)]!;
        store.damage(key, (value) => {
          if (randomInt(random, 3) === 0) return undefined;
          value[randomInt(random, value.length)]! ^= 1 << randomInt(random, 8);
          return value;
        });
      }
      const out = new MemoryStore();
      await salvage(readerOf(store), out);
      expect(damageIn(readerOf(out)), `seed ${seed}`).toEqual([]);
      const { spool } = await openTestSpool(out);
      await spool.close();
      expect(damageIn(readerOf(out)), `seed ${seed}, opened`).toEqual([]);
    }
  });

  it('of damaged files gives a folder that a module opens and goes on with', async () => {
    const data = makeFolder();
    await makeRun(data, 40);
    const spool = await openRealSpool(data);
    await spool.close();
    const store = join(data, 'spool', 'store');
    const intact = new StoreFiles(store);
    const windows = [...new SpoolReader(intact).messages()].length;
    intact.close();
    const [bodies] = filesOf(join(store, 'bodies'), /bodies$/);
    damageFile(bodies!, (bytes) => bytes.fill(0xee, bytes.length >> 1, (bytes.length >> 1) + 50));
    const files = new StoreFiles(store);
    const target = layoutOf(join(makeFolder(), 'spool'));
    const { store: out } = await openSplitFolder({ folder: target.store });
    const report = await salvage(new SpoolReader(files), out);
    await out.close();
    await writeMarker(target);
    expect(report.lostMessages).toBeGreaterThan(0);
    expect(report.kept.windows).toBeGreaterThan(5);
    expect(report.kept.windows).toBeLessThan(windows);
    const found = new StoreFiles(target.store);
    expect([...verifySpool(new SpoolReader(found), found)]).toEqual([]);
    const again = await openRealSpool(join(target.root, '..'));
    expect(again.stats()).toMatchObject({ state: 'ok', stored: { messages: report.kept.messages } });
    expect(again.stats().repair).toBeUndefined();
    await again.close();
  });
});
