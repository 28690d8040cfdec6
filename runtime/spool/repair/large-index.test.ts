// An index that is too large to be read through before it is opened. LevelDB does not check the sums of what it reads: what is
// missing has to be told all the same, and is salvaged from the value log.

import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { MemoryStore } from '../engine/testing/memory-store.ts';
import { idKey } from '../format/keys.ts';
import { openSpoolEngine } from '../format/spool-engine.ts';
import { openSpool, type Spool } from '../spool.ts';
import { change, closed, openTestSpool, takeAll, window } from '../testing/open-test-spool.ts';

const root = quickFolder('large-index');
const folder = join(root, 'spool');
const windows = 300;

const open = (): Promise<Spool> =>
  openSpool({
    folder,
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });

const until = async (check: () => boolean) => {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 5));
};

beforeAll(async () => {
  const spool = await open();
  await spool.commitWindows([
    change(
      'a',
      Array.from({ length: windows }, (_, n) => closed('a', window(n * 10, n * 10 + 10))),
    ),
  ]);
  await spool.close();
  // What was quarantined over the years, as far as LevelDB is concerned. Noise, so that it is not packed.
  const { store } = await openSpoolEngine({ folder: join(folder, 'store') });
  for (let n = 0; n < 24; n++) {
    const ops = Array.from({ length: 1000 }, (_, at) => {
      const value = Buffer.alloc(480, Buffer.from(`${(n * 1000 + at) * 2654435761}`));
      for (let byte = 0; byte < value.byteLength; byte++) value[byte] = value[byte]! ^ ((byte * byte) >> 3);
      return { type: 'put', key: idKey('x', 1_000_000 + n * 1000 + at), value } as const;
    });
    await store.batch(ops, { sync: false });
  }
  await store.compactRange(Buffer.of(0), Buffer.of(0xff));
  await store.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const tables = () => readdirSync(join(folder, 'store')).filter((name) => name.endsWith('.ldb'));

/** A bit of a key of the lane: LevelDB shows another key, and no error. */
function damageLane(): void {
  for (const name of tables()) {
    const path = join(folder, 'store', name);
    const bytes = readFileSync(path);
    const at = bytes.indexOf(Buffer.concat([Buffer.from('u'), Buffer.alloc(4)]));
    if (at < 0) continue;
    // The letter: the entry is one of another kind now.
    bytes[at] = bytes[at]! ^ 0x08;
    writeFileSync(path, bytes);
    return;
  }
  throw new Error('no table holds the lane');
}

describe('an index of more than 8 MiB with a damaged block', () => {
  it('opens without being read through, and the damage is told and mended all the same', {
    timeout: 60_000,
  }, async () => {
    const size = tables().reduce((sum, name) => sum + statSync(join(folder, 'store', name)).size, 0);
    expect(size).toBeGreaterThan(8 * 1024 * 1024);
    damageLane();
    const spool = await open();
    expect(spool.stats()).toMatchObject({ damaged: 0 });
    await until(() => spool.stats().repair !== undefined);
    expect(spool.stats().repair!.reason).toMatch(/\.ldb: .*sum of a block does not match/);
    await until(() => spool.stats().damaged > 0);
    // All of them are in the value log: they wait in the lane, or are archived where the lane's entry is what was lost.
    const ids = new Set((await takeAll(spool, 'backlog')).map(({ message }) => message.messageId));
    const found = await spool.find('a', window(0, windows * 10), windows + 10);
    expect(found.length).toBe(windows);
    expect(ids.size).toBeGreaterThan(0);
    expect(spool.openStream('a', 'sequence').continuity).toBe('proven');
    await spool.close();
  });
});

describe('a stream whose records are both gone without a word', () => {
  it('leaves its number to nobody: what is stored under it is not taken for another stream', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    await spool.close();
    const again = new MemoryStore();
    const kept = store.entries.filter(
      ({ key }) => key[0] !== 's'.charCodeAt(0) && key[0] !== 'n'.charCodeAt(0),
    );
    await again.batch(
      kept.map(({ key, value }) => ({ type: 'put', key, value }) as const),
      { sync: true },
    );
    const { spool: next } = await openTestSpool(again);
    await next.commitWindows([change('b', [closed('b', window(20, 30))])]);
    expect(await next.find('b', window(0, 100), 10)).toMatchObject([{ window: { start: 20 } }]);
    await next.close();
  });
});

describe('entries of a lane that are gone without a word', () => {
  it('are told once the lane was read to its end', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store);
    for (let n = 0; n < 5; n++)
      await spool.commitWindows([change('a', [closed('a', window(n * 10, n * 10 + 10))])]);
    const lost = store.entries.filter(({ key }) => key[0] === 'u'.charCodeAt(0)).slice(1, 3);
    await store.batch(
      lost.map(({ key }) => ({ type: 'del', key }) as const),
      { sync: false },
    );
    expect(await takeAll(spool, 'live')).toHaveLength(3);
    await until(() => spool.stats().damaged === 2);
    await spool.close();
  });
});
