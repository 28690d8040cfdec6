// What a start says of each stream: whether what it claimed before is known in full.
import { cpSync, mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { openSpool } from './spool.ts';
import { change, closed, window } from './testing/open-test-spool.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-continuity-'));
const template = join(root, 'template');
let copies = 0;

const open = (folder: string) =>
  openSpool({
    folder,
    clock: new VirtualClock(),
    log: silentLog,
    metrics: noMetrics,
    freeBytes: async () => 1e6,
  });

beforeAll(async () => {
  const spool = await open(template);
  expect(spool.openStream('a', 'sequence')).toEqual({ continuity: 'proven' });
  await spool.commitWindows([change('a', [closed('a', window(0, 10))]), change('b', [])]);
  await spool.close();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function copyOfTemplate(): string {
  const folder = join(root, `copy-${copies++}`);
  cpSync(template, folder, { recursive: true });
  return folder;
}

describe('after the store was repaired', () => {
  it('no stream goes on, in this life or the next, until it has claimed anew', async () => {
    const folder = copyOfTemplate();
    const [manifest] = readdirSync(join(folder, 'store')).filter((name) => name.startsWith('MANIFEST'));
    truncateSync(join(folder, 'store', manifest!), 10);
    for (let life = 0; life < 2; life++) {
      const spool = await open(folder);
      expect(spool.openStream('a', 'sequence')).toEqual({ floor: 10, continuity: 'lost' });
      await spool.close();
    }
    const spool = await open(folder);
    await spool.commitWindows([change('a', [closed('a', window(20, 30))])]);
    expect(spool.openStream('a', 'sequence').continuity).toBe('proven');
    await spool.close();
    const last = await open(folder);
    expect(last.openStream('a', 'sequence')).toEqual({ floor: 30, continuity: 'proven' });
    await last.close();
  });

  it('a stream that nobody knows may have been forgotten', async () => {
    const folder = copyOfTemplate();
    for (const name of readdirSync(join(folder, 'store'))) {
      if (name !== 'CURRENT') rmSync(join(folder, 'store', name), { recursive: true });
    }
    const spool = await open(folder);
    expect(spool.openStream('a', 'sequence')).toEqual({ continuity: 'lost' });
    await spool.close();
  });
});
