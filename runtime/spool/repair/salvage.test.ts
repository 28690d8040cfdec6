import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { listMessages } from '../../cli/spool/listing.ts';
import { summarise } from '../../cli/spool/stats.ts';
import { verifyInTurns, verifySpool } from '../../cli/spool/verify.ts';
import type { EntrySource } from '../engine/offline/entry-source.ts';
import { MemoryStore } from '../engine/testing/memory-store.ts';
import { layoutOf, writeMarker } from '../format/folder-layout.ts';
import { idKey, idOf, indexKey, sizeClassOf, stateKey, streamKey, textKey } from '../format/keys.ts';
import { plainCodec, sealJson } from '../format/record.ts';
import { openSpoolEngine, readSpoolFiles } from '../format/spool-engine.ts';
import { noTotals, readState, type SpoolState } from '../format/totals.ts';
import {
  damageFile,
  filesOf,
  makeFolder,
  makeRun,
  openRealSpool,
  pressStart,
  removeFolders,
} from '../testing/folders.ts';
import { change, closed, idsOf, openTestSpool, takeAll, window } from '../testing/open-test-spool.ts';
import { type SalvageRoom, salvage, withLessRoom } from './salvage.ts';
import { SpoolReader } from './spool-reader.ts';
import { sourceOf } from './testing/memory-source.ts';

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
    expect(spool.openStream('a', 'sequence')).toMatchObject({ floor: 50, continuity: 'proven' });
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
    const intact = readSpoolFiles(store);
    const windows = [...new SpoolReader(intact).messages()].length;
    intact.close();
    const [bodies] = filesOf(join(store, 'values'), /values$/);
    damageFile(bodies!, (bytes) => bytes.fill(0xee, bytes.length >> 1, (bytes.length >> 1) + 50));
    const files = readSpoolFiles(store);
    const target = layoutOf(join(makeFolder(), 'spool'));
    const { store: out } = await openSpoolEngine({ folder: target.store });
    const report = await salvage(new SpoolReader(files), out);
    await out.close();
    await writeMarker(target);
    expect(report.lostMessages).toBeGreaterThan(0);
    expect(report.kept.windows).toBeGreaterThan(5);
    expect(report.kept.windows).toBeLessThan(windows);
    const found = readSpoolFiles(target.store);
    expect([...verifySpool(new SpoolReader(found), found)]).toEqual([]);
    const again = await openRealSpool(join(target.root, '..'));
    expect(again.stats()).toMatchObject({ state: 'ok', stored: { messages: report.kept.messages } });
    expect(again.stats().repair).toBeUndefined();
    await again.close();
  });

  it('finds the messages although all but the value log is lost: each goes up, since nobody knows whether it did', async () => {
    const data = makeFolder();
    await makeRun(data, 30);
    const folder = join(data, 'spool', 'store');
    const intact = readSpoolFiles(folder);
    const large = [...new SpoolReader(intact).messages()].filter(({ bytes }) => bytes >= 256).length;
    intact.close();
    for (const path of filesOf(folder, /^(CURRENT|MANIFEST-|\d+\.)/)) rmSync(path);
    rmSync(join(folder, 'wal'), { recursive: true });
    const files = readSpoolFiles(folder);
    const out = new MemoryStore();
    const report = await salvage(new SpoolReader(files), out);
    files.close();
    expect(large).toBeGreaterThanOrEqual(30);
    expect(report).toMatchObject({ unnamedMessages: large, unsent: large, rebuiltStreams: ['press', 'log'] });
    expect(damageIn(readerOf(out))).toEqual([]);
    const { spool } = await openTestSpool(out);
    const found = await spool.find('press', window(pressStart, pressStart + 1e9), 100);
    expect(found.length).toBe(large - 1);
    expect(await takeAll(spool, 'backlog')).toHaveLength(large);
  });

  it('finds messages that the index half knows, and gives each its place', async () => {
    const store = await makeSpool();
    const bodies = [...readerOf(store).entries('r')];
    store.damage(idKey('r', 7), () => undefined);
    store.damage(idKey('r', 8), (value) => value.fill(0, 20, 30));
    const twice = { ...sourceOf(store), values: () => [...bodies, ...bodies] };
    const half = new MemoryStore();
    const again = await salvage(new SpoolReader(twice), half);
    expect(again).toMatchObject({ unnamedMessages: 2, unsent: 7, lostMessages: 0, lostRecordCount: 0 });
    expect(again.kept).toMatchObject({ messages: 10, windows: 10 });
    expect(damageIn(readerOf(half))).toEqual([]);
  });

  describe('of lanes that lost entries', () => {
    /** As `makeSpool`, but messages 1 to 3 were sent, of which the state knows the first two; message 5 has no place any more. */
    const spoolWith = async (more: Partial<SpoolState> = {}) => {
      const store = await makeSpool();
      const state = readState(plainCodec, store.entries.find(({ key }) => stateKey.equals(key))!.value);
      store.damage(idKey('u', 5), () => undefined);
      store.damage(stateKey, () => sealJson(plainCodec, 'S', stateKey, { ...state, ...more }));
      return store;
    };
    const salvaged = async (store: MemoryStore, source: Partial<EntrySource> = {}, options = {}) => {
      const out = new MemoryStore();
      const report = await salvage(new SpoolReader({ ...sourceOf(store), ...source }), out, options);
      expect(damageIn(readerOf(out))).toEqual([]);
      const { spool } = await openTestSpool(out);
      return { report, ids: idsOf(await takeAll(spool, 'backlog')) };
    };
    const damage = (file: string): Partial<EntrySource> => ({
      problems: [{ severity: 'damage', file, reason: 'a test' }],
    });
    const unsent = ['a;30-40', 'a;40-50', 'b;0-10', 'b;10-20', 'b;20-30', 'b;30-40', 'b;40-50', 'b;50-55'];

    it('sends what the state counts and no entry names, and nothing that it says was sent', async () => {
      const { ids } = await salvaged(await spoolWith({ unsentHead: 4 }));
      expect(ids).toEqual(unsent);
    });

    it('sends once more what was sent behind the first that waits: nobody knows', async () => {
      const { ids } = await salvaged(await spoolWith({ unsentHead: 3 }));
      expect(ids).toEqual(['a;20-30', ...unsent]);
    });

    it('sends all of it where the state is missing, too', async () => {
      const store = await spoolWith();
      store.damage(stateKey, () => undefined);
      expect((await salvaged(store)).ids).toEqual(['a;0-10', 'a;10-20', 'a;20-30', ...unsent]);
    });

    it.each(['000005.ldb', 'CURRENT', 'wal/0001.wal'])(
      'believes no count of entries where %s is damaged: others may have come back',
      async (file) => {
        const state = { totals: { ...noTotals, unsent: { messages: 6, bytes: 1 } }, unsentHead: 4 };
        expect((await salvaged(await spoolWith(state))).ids).toEqual(unsent.filter((id) => id !== 'a;40-50'));
        expect((await salvaged(await spoolWith(state), damage(file))).ids).toEqual(unsent);
      },
    );

    it('sends nothing again where only the value log is damaged, or the state alone', async () => {
      const store = await makeSpool();
      expect((await salvaged(store, damage('values/00000001.values'))).ids).toEqual(unsent);
      store.damage(stateKey, (value) => value.fill(value[8]! ^ 1, 8, 9));
      expect((await salvaged(store)).ids).toEqual(unsent);
    });

    it('on a disk without room leaves out what was sent, then what no lane names, which counts as lost', async () => {
      const store = await spoolWith({ unsentHead: 4 });
      const bodies = [...readerOf(store).entries('r')];
      for (const id of [2, 6]) store.damage(idKey('r', id), () => undefined);
      store.damage(idKey('u', 6), () => undefined);
      const source = { values: () => bodies, ...damage('CURRENT') };
      const most = await salvaged(store, source, { room: 'unsent' });
      expect(most.ids).toEqual(unsent);
      expect(most.report).toMatchObject({ lostMessages: 0, kept: { messages: 9 } });
      const least = await salvaged(store, source, { room: 'named' });
      expect(least.ids).toEqual(unsent.filter((id) => id !== 'b;0-10'));
      expect(least.report).toMatchObject({
        // One of them is named by the backfill lane.
        lostMessages: 2,
        lostRecords: expect.arrayContaining([{ key: 'r:000000000006', reason: 'there is no room for it' }]),
      });
    });

    it('is told by what the disk said how much to leave out', () => {
      const full = Object.assign(new Error('x'), { cause: { code: 'ENOSPC' } });
      const bad = Object.assign(new Error('x'), { code: 'EIO' });
      expect(['all', 'unsent', 'named'].map((room) => withLessRoom(room as SalvageRoom, full))).toEqual([
        'unsent',
        'named',
        'named',
      ]);
      expect(withLessRoom('unsent', bad)).toBe('unsent');
    });
  });

  it('does not bring back what was removed when nothing is wrong', async () => {
    const store = await makeSpool();
    const removed = [...readerOf(store).entries('r')].filter(({ key }) => idOf(key) === 3);
    const source = sourceOf(store);
    const index = indexKey(1, sizeClassOf(window(20, 30)), 20, 3);
    for (const key of [idKey('r', 3), idKey('a', 3), index]) store.damage(key, () => undefined);
    const out = new MemoryStore();
    const report = await salvage(new SpoolReader({ ...source, values: () => removed }), out);
    expect(report.unnamedMessages).toBe(0);
    const asked = await salvage(new SpoolReader({ ...source, values: () => removed }), new MemoryStore(), {
      unnamed: true,
    });
    expect(asked.unnamedMessages).toBe(1);
  });

  it('lets others have their turn all along, whatever the size', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    const windows = Array.from({ length: 2000 }, (_, n) => closed('a', window(n * 100, n * 100 + 100)));
    for (let n = 0; n < windows.length; n += 200) {
      await spool.commitWindows([change('a', windows.slice(n, n + 200))]);
    }
    await spool.close();
    const entries = store.entries;
    const source = {
      *scan(gte: Uint8Array, lt: Uint8Array) {
        for (const entry of entries) {
          if (Buffer.compare(entry.key, gte) >= 0 && Buffer.compare(entry.key, lt) < 0) yield entry;
        }
      },
      get: sourceOf(store).get,
    };
    // A clock that goes on by a millisecond each time it is asked, as if each record took that long.
    let now = 0;
    const clock = { ...systemClock, monotonic: () => now++ };
    let turns = 0;
    let done = false;
    const others = (async () => {
      for (; !done; turns++) await new Promise((resolve) => setImmediate(resolve));
    })();
    const report = await salvage(new SpoolReader(source), new MemoryStore(), { clock });
    done = true;
    await others;
    expect(report.kept.windows).toBe(2000);
    // Six spaces of 2000 records, and a turn at least every few of them.
    expect(turns).toBeGreaterThan(500);
    turns = 0;
    done = false;
    const more = (async () => {
      for (; !done; turns++) await new Promise((resolve) => setImmediate(resolve));
    })();
    for await (const _ of verifyInTurns(new SpoolReader(source), undefined, clock))
      throw new Error('nothing is damaged');
    done = true;
    await more;
    expect(turns).toBeGreaterThan(500);
  });
});
