// What a kill -9 left, damaged by the dice: one to three damages of any kind, anywhere. Nothing may be claimed that is not
// so, and what is lost must be told. HOLDFAST_SEED begins elsewhere, HOLDFAST_DAMAGES sets how many.
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { openSpool } from '../spool.ts';
import { claimsOf } from '../testing/claims.ts';
import { checkClaims } from '../testing/damage-oracle.ts';
import { damageFolder } from '../testing/damages.ts';
import { change, closed, window } from '../testing/open-test-spool.ts';

const count = Number(process.env.HOLDFAST_DAMAGES ?? 60);
const first = Number(process.env.HOLDFAST_SEED ?? 1);
const root = quickFolder('random-damage');
const killed = join(root, 'killed');

beforeAll(() => {
  const child = join(import.meta.dirname, '..', 'testing', 'damage-child.ts');
  const { signal, stderr } = spawnSync(process.execPath, [child, killed]);
  expect(signal, String(stderr)).toBe('SIGKILL');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const open = (folder: string) =>
  openSpool({
    folder,
    // A start may wait, and try again.
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });

describe(`${count} folders, damaged from seed ${first} on`, () => {
  it('claim nothing falsely, and tell what they lost', {
    timeout: 30_000 + count * 5000,
    retry: 0,
  }, async () => {
    let lossy = 0;
    for (let seed = first; seed < first + count; seed++) {
      const random = seededRandom(seed);
      const folder = join(root, `seed-${seed}`);
      cpSync(killed, folder, { recursive: true, filter: (path) => !/\/(ballast|reserve)$/.test(path) });
      const story = `seed ${seed}, ${damageFolder(folder, random)}`;
      const spool = await open(folder);
      if (checkClaims(await claimsOf(spool), story)) lossy++;
      await spool.commitWindows([change('a', [closed('a', window(9000, 9010))])]);
      await spool.close();
      const next = await open(folder);
      expect(next.openStream('a', 'sequence'), story).toMatchObject({ floor: 9010, continuity: 'proven' });
      await next.close();
      rmSync(folder, { recursive: true, force: true });
    }
    // Else it shows nothing.
    if (count >= 60) expect(lossy).toBeGreaterThan(count / 40);
  });
});
