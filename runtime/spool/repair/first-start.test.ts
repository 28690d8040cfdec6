// A first start that is cut off at any step: nothing was promised, so the next one calls nothing damaged or lost.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { openStoppedSpool } from '../../cli/spool/open.ts';
import { openSpool } from '../spool.ts';
import { change, closed, takeAll, window } from '../testing/open-test-spool.ts';

const root = quickFolder('first-start');
const template = join(root, 'template');
const marker = (folder: string) => join(folder, 'FORMAT.json');
const notComplete = '{"holdfast":"spool","format":1,"store":"none"}\n';
let copies = 0;

const open = (folder: string, log: Log = silentLog) =>
  openSpool({ folder, clock: new VirtualClock(), log, metrics: noMetrics, retention: { reserveBytes: 0 } });

beforeAll(async () => (await open(template)).close());
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** As it lies when the marker says that no store is complete, and before the mark is written. */
function cutOff(): string {
  const folder = join(root, `copy-${copies++}`);
  cpSync(template, folder, { recursive: true });
  writeFileSync(marker(folder), notComplete);
  rmSync(join(folder, 'high-water.json'));
  return folder;
}

async function expectNew(folder: string): Promise<void> {
  const said: string[] = [];
  const say = (_fields: object, text: string) => void said.push(text);
  const spool = await open(folder, { ...silentLog, warn: say, error: say });
  expect(said).toEqual([]);
  expect(spool.stats()).toMatchObject({ damaged: 0, continuity: { state: 'proven' } });
  expect(spool.stats()).not.toHaveProperty('repair');
  expect(readFileSync(marker(folder), 'utf8')).not.toMatch(/none/);
  await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
  await spool.close();
  const next = await open(folder);
  expect(next.stats()).toMatchObject({ damaged: 0 });
  expect(await takeAll(next, 'backlog')).toHaveLength(1);
  await next.close();
}

const filesOfStore = () =>
  readdirSync(join(template, 'store'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(template, 'store', name)).isFile(),
  );

describe('a first start that was cut off', () => {
  it('before any of its store was made', async () => {
    const folder = cutOff();
    rmSync(join(folder, 'store'), { recursive: true });
    await expect(openStoppedSpool(folder)).rejects.toThrow(/first start was cut off.*Nothing was in it/);
    await expectNew(folder);
  });

  it('with each file of its store missing or empty', async () => {
    for (const name of filesOfStore()) {
      for (const spoil of [rmSync, (path: string) => writeFileSync(path, '')]) {
        const folder = cutOff();
        spoil(join(folder, 'store', name));
        await expect(openStoppedSpool(folder)).rejects.toMatchObject({ code: 'spool-not-found' });
        await expectNew(folder);
      }
    }
  });

  it('with a whole store, before FORMAT.json said so', async () => expectNew(cutOff()));

  it('is told from a spool that was: its mark speaks of it', async () => {
    const folder = cutOff();
    cpSync(join(template, 'high-water.json'), join(folder, 'high-water.json'));
    const spool = await open(folder);
    expect(spool.stats().repair).toBeUndefined();
    expect(existsSync(join(folder, 'quarantine'))).toBe(false);
    await spool.close();
    rmSync(join(folder, 'store'), { recursive: true });
    const gone = await open(folder);
    expect(gone.stats().repair?.reason).toMatch(/gone/);
    await gone.close();
  });
});
