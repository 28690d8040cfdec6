// A file system that is damaged itself, as after a power cut on a card that does not write in order: nobody gets at a file or
// folder any more, or at the names in a folder, not even to move or remove it. The spool opens all the same, claims nothing
// falsely, and tells what it lost.
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkClaims } from '../../runtime/spool/testing/damage-oracle.ts';
import { claimsOf } from './claims-of.ts';
import { cutAmidStart, syncAll } from './cut-amid-start.ts';
import { canMountFuse } from './fuse-disk.ts';
import { KilledSpools } from './killed-spools.ts';

const limitMs = 120_000;
/** A new folder is made and put in place in about twenty operations. */
const cuts = process.env.HOLDFAST_ALL_CUTS === '1' ? Array.from({ length: 30 }, (_, n) => n + 1) : [4, 9, 14];
const table: readonly (readonly [path: RegExp, what: 'facts' | 'names'])[] = [
  [/^FORMAT\.json$/, 'facts'],
  [/^starts\.json$/, 'facts'],
  [/^high-water\.json$/, 'facts'],
  [/^lock$/, 'facts'],
  [/^lock$/, 'names'],
  [/^lock\/CURRENT$/, 'facts'],
  [/^lock\/LOCK$/, 'facts'],
  [/^quarantine$/, 'names'],
  [/^store$/, 'names'],
  [/^store$/, 'facts'],
  [/^store\/CURRENT$/, 'facts'],
  [/^store\/LOG$/, 'facts'],
  [/^store\/MANIFEST-\d+$/, 'facts'],
  [/^store\/\d+\.ldb$/, 'facts'],
  [/^store\/\d+\.log$/, 'facts'],
  [/^store\/wal$/, 'facts'],
  [/^store\/wal$/, 'names'],
  [/^store\/wal\/\d+\.wal$/, 'facts'],
  [/^store\/values$/, 'facts'],
  [/^store\/values$/, 'names'],
  [/^store\/values\/\d+\.values$/, 'facts'],
];

describe.skipIf(!canMountFuse())('a file system that has lost', () => {
  let spools: KilledSpools;
  beforeAll(async () => {
    spools = await KilledSpools.make();
  });
  afterAll(() => spools.remove());

  it.each(table)('%s, its %s', { timeout: 3 * limitMs, retry: 0 }, async (pattern, what) => {
    const { disk } = spools;
    const { name, folder } = spools.copy();
    mkdirSync(join(folder, 'quarantine'), { recursive: true });
    const path = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((each) =>
      pattern.test(each),
    );
    expect(path, `${pattern}`).toBeDefined();
    await disk.lose(`${name}/${path}`, what);
    await disk.mountAnew();
    checkClaims(await claimsOf(folder, limitMs), `${path}: ${what}`);
    const next = await claimsOf(folder, limitMs);
    expect(next.starts.a).toMatchObject({ floor: 9010 });
  });

  it.each(cuts)(
    'FORMAT.json, and the power at operation %i',
    { timeout: 3 * limitMs, retry: 0 },
    async (cut) => {
      const { disk } = spools;
      const { name, folder } = spools.copy();
      syncAll(folder);
      await disk.lose(`${name}/FORMAT.json`, 'facts');
      await disk.mountAnew();
      const { isCut } = await cutAmidStart(disk, folder, cut, cut);
      expect(isCut).toBe(true);
      checkClaims(await claimsOf(folder, limitMs), `cut at ${cut}`);
      rmSync(folder, { recursive: true });
    },
  );

  it('nothing, but has a quarantine that leads to another one: a damaged store is repaired', async () => {
    const { disk, home, killed } = spools;
    const folder = join(home, 'linked');
    cpSync(killed, folder, { recursive: true });
    mkdirSync(join(disk.folder, 'elsewhere'));
    symlinkSync(join(disk.folder, 'elsewhere'), join(folder, 'quarantine'));
    const manifest = readdirSync(join(folder, 'store')).find((name) => name.startsWith('MANIFEST'));
    truncateSync(join(folder, 'store', manifest!), 10);
    checkClaims(await claimsOf(folder, limitMs), 'linked');
    expect(readdirSync(join(folder, 'quarantine'))).toHaveLength(1);
  });
});
