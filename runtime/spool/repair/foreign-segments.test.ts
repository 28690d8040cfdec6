// Files of another spool among ours, as after some were put back from the wrong backup: nothing of theirs goes up under our name,
// nothing of ours that is still there is lost, and what is not ours is kept for people.
import { cpSync, existsSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { openSpool, type Spool } from '../spool.ts';
import { change, closed, takeAll, window } from '../testing/open-test-spool.ts';

const root = quickFolder('foreign-segments');
const [ours, theirs] = [join(root, 'ours'), join(root, 'theirs')];
let copies = 0;

const open = (folder: string, log: Log = silentLog): Promise<Spool> =>
  openSpool({
    folder,
    clock: systemClock,
    log,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });

/** Values of the value log, of more than 256 bytes each. */
async function commit(spool: Spool, stream: string, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++)
    await spool.commitWindows([change(stream, [closed(stream, window(n * 100, n * 100 + 100))])]);
}

beforeAll(async () => {
  for (const [folder, stream, windows] of [
    [ours, 'a', 20],
    [theirs, 'zzz', 60],
  ] as const) {
    for (const from of [0, windows / 2]) {
      const spool = await open(folder);
      await commit(spool, stream, from, from + windows / 2);
      await spool.close();
    }
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Ours, known to be what was left; half of its windows are in the write-ahead log behind the last checkpoint. */
async function prepare(): Promise<string> {
  const folder = join(root, `copy-${copies++}`);
  cpSync(ours, folder, { recursive: true });
  await (await open(folder)).close();
  return folder;
}

const store = (folder: string, ...names: string[]) => join(folder, 'store', ...names);
const put = (folder: string, from: string, to = from) => {
  rmSync(store(folder, to), { recursive: true, force: true });
  cpSync(store(theirs, from), store(folder, to), { recursive: true });
};
const removeIndex = (folder: string) => {
  for (const name of readdirSync(store(folder)))
    if (!['wal', 'values'].includes(name)) rmSync(store(folder, name));
};
const removeMark = (folder: string) => rmSync(join(folder, 'high-water.json'));
const quarantined = (folder: string) =>
  existsSync(join(folder, 'quarantine'))
    ? readdirSync(join(folder, 'quarantine'), { recursive: true, encoding: 'utf8' })
    : [];

/** What a start says and sends, and that the next one goes on. */
async function twoLives(folder: string) {
  const errors: string[] = [];
  const log: Log = {
    ...silentLog,
    error: (fields: object, text: string) => void errors.push(`${text} ${JSON.stringify(fields)}`),
  };
  const spool = await open(folder, log);
  const { continuity } = spool.openStream('a', 'sequence');
  const taken = await takeAll(spool, 'backlog');
  for (let n = 0; n < 50 && taken.length < 20 && spool.stats().damaged === 0; n++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const { repair, damaged } = spool.stats();
  await commit(spool, 'a', 900, 901);
  await spool.close();
  const next = await open(folder);
  expect(next.openStream('a', 'sequence')).toMatchObject({ floor: 90_100, continuity: 'proven' });
  expect(next.stats().repair).toBeUndefined();
  await next.close();
  const ids = new Set(taken.map(({ message }) => message.messageId));
  const streams = new Set(taken.map(({ message }) => message.properties.batchId));
  return { continuity, repair: repair?.reason ?? '', damaged, ids, streams, errors: errors.join('\n') };
}

const logged = "another spool's files were quarantined";

describe("another spool's files among ours", () => {
  const cases: Record<string, { hit: (folder: string) => void; left: number | 'some'; told: RegExp }> = {
    'its write-ahead log in the place of ours': {
      hit: (folder) => put(folder, 'wal'),
      left: 20,
      told: /files of another spool stood in the store of spool .*: wal\/0001\.wal/,
    },
    'a segment of its write-ahead log beside ours': {
      hit: (folder) => put(folder, 'wal/0001.wal', 'wal/0007.wal'),
      left: 20,
      told: /: wal\/0007\.wal/,
    },
    'its value log in the place of ours': {
      hit: (folder) => put(folder, 'values'),
      left: 0,
      told: /: values\/00000001\.values/,
    },
    'a segment of its value log beside ours': {
      hit: (folder) => put(folder, 'values/00000001.values', 'values/00000009.values'),
      left: 20,
      told: /: values\/00000009\.values/,
    },
    'a segment of its value log, cut, beside ours': {
      hit(folder) {
        put(folder, 'values/00000001.values', 'values/00000009.values');
        truncateSync(store(folder, 'values/00000009.values'), 5000);
      },
      left: 20,
      told: /: values\/00000009\.values/,
    },
    'its write-ahead log, and no index': {
      hit(folder) {
        put(folder, 'wal');
        removeIndex(folder);
      },
      left: 20,
      told: /wal\/0001\.wal.*the index is missing altogether/,
    },
    // Messages this small stand in the write-ahead log, too, as far as it goes back.
    'its value log, and no index': {
      hit(folder) {
        put(folder, 'values');
        removeIndex(folder);
      },
      left: 'some',
      told: /values\/00000001\.values.*the index is missing altogether/,
    },
    'one segment of its value log, neither index nor mark': {
      hit(folder) {
        put(folder, 'values/00000001.values', 'values/00000009.values');
        removeIndex(folder);
        removeMark(folder);
      },
      left: 20,
      told: /: values\/00000009\.values/,
    },
    'both of its logs, and no index: nothing is ours': {
      hit(folder) {
        put(folder, 'wal');
        put(folder, 'values');
        removeIndex(folder);
      },
      left: 0,
      told: /wal\/0001\.wal, .*values\/00000001\.values/,
    },
  };

  it.each(Object.keys(cases))(
    '%s: nothing of it is sent, what is left of ours is, and it is kept',
    async (what) => {
      const { hit, left, told } = cases[what]!;
      const folder = await prepare();
      hit(folder);
      const said = await twoLives(folder);
      expect([...said.streams]).toEqual(left === 0 ? [] : ['a']);
      expect(said.ids.size).toEqual(left === 'some' ? expect.any(Number) : left);
      expect(said).toMatchObject({ continuity: 'lost', errors: expect.stringContaining(logged) });
      expect(said.repair).toMatch(told);
      if (left === 0) expect(said.damaged).toBeGreaterThan(0);
      const kept = quarantined(folder).filter((name) =>
        /-of-another\/(wal|values)\/\d+\.(wal|values)$/.test(name),
      );
      expect(kept.length).toBeGreaterThan(0);
    },
  );

  it('its whole store, and no index, beside our mark: the logs say whose it is', async () => {
    const folder = await prepare();
    rmSync(store(folder), { recursive: true });
    cpSync(store(theirs), store(folder), { recursive: true });
    removeIndex(folder);
    const said = await twoLives(folder);
    expect([...said.streams]).toEqual([]);
    expect(quarantined(folder).some((name) => name.endsWith('-of-another/values/00000001.values'))).toBe(
      true,
    );
  });

  it('its mark beside our logs, and no index: what all of them name is ours', async () => {
    const folder = await prepare();
    rmSync(join(folder, 'high-water.json'));
    cpSync(join(theirs, 'high-water.json'), join(folder, 'high-water.json'));
    removeIndex(folder);
    const said = await twoLives(folder);
    expect(said.ids.size).toBe(20);
  });

  it('our own files put back from an older copy are ours', async () => {
    const folder = await prepare();
    const spool = await open(folder);
    await commit(spool, 'a', 20, 30);
    await spool.close();
    rmSync(store(folder, 'wal'), { recursive: true });
    cpSync(store(ours, 'wal'), store(folder, 'wal'), { recursive: true });
    const said = await twoLives(folder);
    expect(said.ids.size).toBe(30);
    expect(said.errors).not.toContain(logged);
  });
});
