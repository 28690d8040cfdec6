// Windows that go on from before the start, while nobody but the hub can tell whether the data folder was put back.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../../wire/body.ts';
import type { Window } from '../../../wire/window.ts';
import type { SpoolLife } from '../continuity/tracker.ts';
import { openSpool, type Spool } from '../spool.ts';
import { change, closed, idsOf, readingsIn, takeAll, window } from '../testing/open-test-spool.ts';

const root = quickFolder('withheld');
const opened: Spool[] = [];
let copies = 0;
afterAll(async () => {
  for (const spool of opened) await spool.close();
  rmSync(root, { recursive: true, force: true });
});

async function open(folder: string): Promise<Spool> {
  const spool = await openSpool({
    folder,
    clock: new VirtualClock(),
    log: silentLog,
    metrics: noMetrics,
    freeBytes: async () => 1e6,
    asksHub: true,
  });
  opened.push(spool);
  return spool;
}

const commit = (spool: Spool, range: Window) => spool.commitWindows([change('a', [closed('a', range)])]);

const waiting = async (spool: Spool): Promise<readonly string[]> => {
  const ids: string[] = [];
  for (const lane of ['live', 'backlog'] as const) {
    const entries = await takeAll(spool, lane);
    ids.push(...idsOf(entries));
    spool.release(entries);
  }
  return ids;
};

/** The withheld window leaves its lane; its readings come for it. */
async function tookBack(spool: Spool): Promise<void> {
  const before = spool.stats().commits;
  await waiting(spool);
  while (spool.stats().commits === before) await new Promise((resolve) => setImmediate(resolve));
}

/** A spool that claimed `[0, 10)` in its first life, closed. */
async function left(): Promise<string> {
  const folder = join(root, `spool-${copies++}`);
  const spool = await open(folder);
  await spool.compareWithHub(undefined);
  await commit(spool, window(0, 10));
  await spool.close();
  return folder;
}

/** As an image of the disk does it: all that tells a copy is the same. */
async function putBack(folder: string, work: (spool: Spool) => Promise<void>): Promise<SpoolLife> {
  const image = join(root, `image-${copies++}`);
  cpSync(folder, image, { recursive: true, preserveTimestamps: true });
  const spool = await open(image);
  await work(spool);
  const { life } = spool.stats();
  await spool.close();
  return life!;
}

const later = async (spool: Spool) => {
  await spool.compareWithHub(undefined);
  await commit(spool, window(20, 30));
};

describe('a window that goes on from before the start', () => {
  it('waits for the hub, others do not, and it goes once nothing speaks against it', async () => {
    const spool = await open(await left());
    await commit(spool, window(10, 20));
    await commit(spool, window(20, 30));
    expect(await waiting(spool)).toEqual(['a;20-30', 'a;0-10']);
    expect(spool.stats()).toMatchObject({ withheld: 1 });
    // A job finds it waiting: it is neither asked of the equipment, nor void.
    expect(await spool.find('a', window(10, 20), 10)).toMatchObject([{ state: 'queued' }]);
    const { life } = spool.stats();
    let work = 0;
    spool.onWork(() => work++);
    await spool.compareWithHub({ spool: life!.spool, start: life!.start - 1, commits: 0 });
    expect(work).toBeGreaterThan(0);
    expect(await waiting(spool)).toEqual(['a;10-20', 'a;20-30', 'a;0-10']);
    expect(spool.stats().withheld).toBeUndefined();
    await commit(spool, window(30, 40));
    expect(await waiting(spool)).toContain('a;30-40');
  });

  it('behind a break does not wait', async () => {
    const spool = await open(await left());
    await commit(spool, window(11, 20));
    expect(await waiting(spool)).toEqual(['a;11-20', 'a;0-10']);
  });

  it('is not claimed where the hub knows of a later state: its readings go up late, its range is a hole', async () => {
    const folder = await left();
    const told = await putBack(folder, later);
    const spool = await open(folder);
    await commit(spool, window(10, 20));
    await commit(spool, window(20, 30));
    await waiting(spool);
    await spool.compareWithHub({ ...told, start: told.start + 1 });
    expect(spool.stats()).toMatchObject({ damaged: 1, continuity: { state: 'lost' } });
    await tookBack(spool);
    const entries = [...(await takeAll(spool, 'live')), ...(await takeAll(spool, 'backlog'))];
    const claims = entries.filter(({ message }) => message.properties.isLate === undefined);
    expect(idsOf(claims)).toEqual(['a;20-30', 'a;0-10']);
    const late = entries
      .filter(({ message }) => message.properties.isLate !== undefined)
      .flatMap(({ message: { body, contentEncoding, properties } }) =>
        decodeBody(body, { schema: properties.schema ?? '', contentEncoding, index: 'sequence' }),
      );
    expect(late).toEqual(readingsIn(window(10, 20)));
    expect((await spool.find('a', window(10, 20), 50)).filter(({ late: isLate }) => !isLate)).toEqual([]);
  });

  it('is not claimed either if it was open when the process was ended, or when the hub had been heard', async () => {
    const folder = await left();
    const told = await putBack(folder, later);
    const first = await open(folder);
    const append = { start: 10, end: 15, readings: readingsIn(window(10, 15)) };
    await first.commitWindows([{ batchId: 'a', index: 'sequence', closed: [], restart: true, append }]);
    await first.close();
    const second = await open(folder);
    expect(await waiting(second)).toEqual(['a;0-10']);
    await second.compareWithHub({ ...told, start: told.start + 5 });
    // What was on its way to the disk when the hub was heard.
    await commit(second, window(15, 20));
    await second.close();
    const third = await open(folder);
    await third.compareWithHub(undefined);
    await tookBack(third);
    const entries = await takeAll(third, 'backlog');
    const claims = entries.filter(({ message }) => message.properties.isLate === undefined);
    expect(idsOf(claims)).toEqual(['a;0-10']);
    expect(third.openStream('a', 'sequence').continuity).toBe('lost');
  });

  it('is known to the hub as put back even after as many starts without it as it was told of', async () => {
    const folder = await left();
    const told = await putBack(folder, later);
    for (let n = 0; n < 5; n++) {
      const spool = await open(folder);
      await commit(spool, window(100 + n * 10, 109 + n * 10));
      await spool.close();
    }
    const spool = await open(folder);
    expect(spool.stats().life!.start).toBeGreaterThan(told.start);
    await spool.compareWithHub(told);
    expect(spool.stats().continuity).toMatchObject({
      state: 'lost',
      reason: expect.stringMatching(/start 2 was another/),
    });
  });
});
