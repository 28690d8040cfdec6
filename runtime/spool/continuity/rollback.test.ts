// A part of the store, or all of it, that went back to what it was before: consistent in itself, with right sums
// everywhere, and yet not what was promised.

import {
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { readSpoolFiles } from '../format/spool-engine.ts';
import { openSpool, type Spool } from '../spool.ts';
import { change, closed, takeAll, window } from '../testing/open-test-spool.ts';

const root = quickFolder('rollback');
const template = join(root, 'template');
let copies = 0;
const windows = 60;

const open = (folder: string) =>
  openSpool({
    folder,
    clock: new VirtualClock(),
    log: silentLog,
    metrics: noMetrics,
    freeBytes: async () => 1e6,
  });

async function commit(spool: Spool, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    await spool.commitWindows([change('a', [closed('a', window(n * 10, n * 10 + 10))])]);
  }
}

// Three lives: each leaves entries in the MANIFEST.
beforeAll(async () => {
  for (let life = 0; life < 3; life++) {
    const spool = await open(template);
    await commit(spool, life * 20, life * 20 + 20);
    await spool.close();
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function copyOf(folder: string): string {
  const copy = join(root, `copy-${copies++}`);
  cpSync(folder, copy, { recursive: true });
  return copy;
}

const manifestOf = (folder: string): string => {
  const [name] = readdirSync(join(folder, 'store')).filter((each) => each.startsWith('MANIFEST'));
  return join(folder, 'store', name!);
};

/** Where each record ends, and a place amid each. */
function cutsOf(manifest: string): readonly number[] {
  const bytes = readFileSync(manifest);
  const cuts: number[] = [0];
  for (let at = 0; at + 7 <= bytes.byteLength; ) {
    const end = at + 7 + bytes.readUInt16LE(at + 4);
    cuts.push(at + 5, Math.floor((at + end) / 2), end);
    at = end;
  }
  return cuts.filter((cut) => cut < bytes.byteLength);
}

describe('a store that is gone from beside the rest', () => {
  it.each([
    ['its folder', (store: string) => rmSync(store, { recursive: true })],
    [
      'all in it',
      (store: string) => {
        for (const name of readdirSync(store)) rmSync(join(store, name), { recursive: true });
      },
    ],
  ])('%s: is no new spool, but one that lost everything, and says so', async (_what, remove) => {
    const folder = copyOf(template);
    remove(join(folder, 'store'));
    const spool = await open(folder);
    expect(spool.stats()).toMatchObject({ damaged: 1, repair: { reason: expect.stringMatching(/gone/) } });
    expect(spool.openStream('a', 'sequence')).toEqual({ continuity: 'lost' });
    await spool.close();
    const next = await open(folder);
    expect(next.stats()).toMatchObject({ damaged: 1 });
    expect(next.stats().repair).toBeUndefined();
    await next.close();
  });

  it('is told, too, where something else stands in the place of the whole folder', async () => {
    const folder = join(root, 'replaced');
    writeFileSync(folder, 'a file');
    const spool = await open(folder);
    expect(spool.stats()).toMatchObject({ damaged: 1, repair: { reason: expect.stringMatching(/gone/) } });
    expect(spool.openStream('a', 'sequence')).toEqual({ continuity: 'lost' });
    await spool.close();
  });

  it('is not what a link makes of it: files and folders that were moved elsewhere are read where they are', async () => {
    const folder = copyOf(template);
    const store = join(folder, 'store');
    for (const name of [...readdirSync(store), 'values/00000001.values', 'wal/0001.wal']) {
      const to = join(root, `elsewhere-${copies++}`);
      renameSync(join(store, name), to);
      symlinkSync(to, join(store, name));
    }
    const files = readSpoolFiles(store);
    files.check();
    expect(files.problems.filter(({ severity }) => severity === 'damage')).toEqual([]);
    files.close();
    const spool = await open(folder);
    expect(spool.stats()).toMatchObject({ damaged: 0 });
    expect(await takeAll(spool, 'backlog')).toHaveLength(windows);
    await spool.close();
  });

  it('a folder where nothing ever was is a new spool', async () => {
    const spool = await open(join(root, 'new'));
    expect(spool.stats()).toMatchObject({ damaged: 0 });
    expect(spool.stats().repair).toBeUndefined();
    await spool.close();
  });
});

describe('an index that went back', () => {
  it('is noticed wherever its MANIFEST is cut, and salvaged from the value log and the log', async () => {
    const cuts = cutsOf(manifestOf(template));
    expect(cuts.length).toBeGreaterThan(6);
    for (const cut of cuts) {
      const folder = copyOf(template);
      truncateSync(manifestOf(folder), cut);
      const files = readSpoolFiles(join(folder, 'store'));
      const told = files.problems.filter(({ severity }) => severity === 'damage');
      files.close();
      expect(told, `cut at ${cut}`).not.toEqual([]);
      const spool = await open(folder);
      const { repair, damaged } = spool.stats();
      expect(repair?.reason, `cut at ${cut}`).toMatch(/index|MANIFEST/);
      expect(damaged).toBeGreaterThan(0);
      const ids = new Set((await takeAll(spool, 'backlog')).map(({ message }) => message.messageId));
      expect(ids.size, `cut at ${cut}`).toBe(windows);
      expect(spool.openStream('a', 'sequence')).toMatchObject({ floor: windows * 10, continuity: 'lost' });
      await spool.close();
    }
  });

  it('as a whole to an earlier life is noticed, too', async () => {
    const folder = copyOf(template);
    const before = copyOf(template);
    const spool = await open(folder);
    await commit(spool, windows, windows + 20);
    await spool.close();
    for (const name of readdirSync(join(folder, 'store'))) {
      if (name !== 'wal' && name !== 'values') rmSync(join(folder, 'store', name));
    }
    for (const name of readdirSync(join(before, 'store'))) {
      if (name !== 'wal' && name !== 'values')
        cpSync(join(before, 'store', name), join(folder, 'store', name));
    }
    const again = await open(folder);
    expect(again.stats().repair?.reason).toMatch(/index/);
    expect(await takeAll(again, 'backlog')).toHaveLength(windows + 20);
    await again.close();
  });
});

describe('a folder as a kill -9 leaves it', () => {
  let killed: string;
  beforeAll(async () => {
    const folder = copyOf(template);
    const spool = await open(folder);
    await commit(spool, windows, windows + 20);
    killed = copyOf(folder);
    rmSync(join(killed, 'lock'), { recursive: true });
    await spool.close();
  });

  it('is never called undamaged where LevelDB does not open it: its MANIFEST cut anywhere', async () => {
    for (const cut of cutsOf(manifestOf(killed))) {
      const folder = copyOf(killed);
      truncateSync(manifestOf(folder), cut);
      const files = readSpoolFiles(join(folder, 'store'));
      const told = files.problems.filter(({ severity }) => severity === 'damage');
      files.close();
      const spool = await open(folder);
      const { repair } = spool.stats();
      expect(told.length > 0, `cut at ${cut}: ${repair?.reason}`).toBe(repair !== undefined);
      expect(await takeAll(spool, 'backlog')).toHaveLength(windows + 20);
      await spool.close();
    }
  });

  it('tells at the start of a segment of the value log that was cut, though the replay lengthens it', async () => {
    const folder = copyOf(killed);
    truncateSync(join(folder, 'store', 'values', '00000001.values'), 5000);
    const spool = await open(folder);
    expect(spool.stats()).toMatchObject({
      damaged: 1,
      repair: { reason: expect.stringMatching(/00000001\.values has 5000 of \d+ bytes/) },
    });
    await spool.close();
  });
});
