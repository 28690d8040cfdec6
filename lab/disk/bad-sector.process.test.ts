import { execFile } from 'node:child_process';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import { checkClaims } from '../../runtime/spool/testing/damage-oracle.ts';
import { root } from '../../test/support/source-tree.ts';
import { claimsOf } from './claims-of.ts';
import { canMountFuse } from './fuse-disk.ts';
import { KilledSpools } from './killed-spools.ts';
import { sectorBytes } from './simulated-files.ts';

const more = Number(process.env.HOLDFAST_DAMAGES ?? 2);
const first = Number(process.env.HOLDFAST_SEED ?? 1);
const limitMs = 180_000;

/** Which of the file's sectors. */
type Where = 'first' | 'middle' | 'last' | 'all';
const table: readonly (readonly [file: RegExp, where: Where])[] = [
  [/^FORMAT\.json$/, 'all'],
  [/^starts\.json$/, 'all'],
  [/^high-water\.json$/, 'all'],
  [/^lock\/CURRENT$/, 'all'],
  [/^store\/CURRENT$/, 'all'],
  [/^store\/MANIFEST-\d+$/, 'first'],
  [/^store\/\d+\.ldb$/, 'first'],
  [/^store\/\d+\.ldb$/, 'last'],
  [/^store\/\d+\.log$/, 'first'],
  [/^store\/wal\/\d+\.wal$/, 'first'],
  [/^store\/wal\/\d+\.wal$/, 'middle'],
  [/^store\/wal\/\d+\.wal$/, 'all'],
  [/^store\/values\/\d+\.values$/, 'middle'],
];

describe.skipIf(!canMountFuse())('a sector that cannot be read', () => {
  let spools: KilledSpools;
  beforeAll(async () => {
    spools = await KilledSpools.make();
  });
  afterAll(() => spools.remove());

  const filesIn = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(folder, name)).isFile() && statSync(join(folder, name)).size > 0)
      .sort();

  async function afterSpoiling(spoil: (folder: string, random: Random) => Promise<string>, random: Random) {
    const { name, folder } = spools.copy();
    const story = await spoil(name, random);
    // So that nothing is in the kernel's memory.
    await spools.disk.mountAnew();
    checkClaims(await claimsOf(folder, limitMs), story);
    return { folder, story };
  }

  const spoilFile = async (name: string, file: string, where: Where, random: Random) => {
    const sectors = Math.ceil(statSync(join(spools.disk.folder, name, file)).size / sectorBytes);
    const at = { first: 0, middle: randomInt(random, sectors), last: sectors - 1, all: 0 }[where];
    const count = where === 'all' ? sectors : 1;
    await spools.disk.spoil(
      `${name}/${file}`,
      Array.from({ length: count }, (_, n) => at + n),
    );
    return `${file}: ${count === 1 ? `sector ${at} of ${sectors}` : 'all sectors'}`;
  };

  it.each(table)('of %s, %s', { timeout: 3 * limitMs, retry: 0 }, async (pattern, where) => {
    const random = seededRandom(first);
    await afterSpoiling(async (name) => {
      const file = filesIn(join(spools.disk.folder, name)).find((each) => pattern.test(each));
      expect(file, `${pattern}`).toBeDefined();
      return spoilFile(name, file!, where, random);
    }, random);
  });

  it('of the write-ahead log: holdfast spool shows what the module then recovers', {
    timeout: limitMs,
  }, async () => {
    const { name, folder } = spools.copy();
    await spoilFile(name, 'store/wal/0001.wal', 'first', seededRandom(first));
    await spools.disk.mountAnew();
    const args = ['runtime/main.ts', 'spool', 'export', folder, '--lane', 'unsent', '--stream', 'a'];
    // It ends with 1: not everything could be read.
    const out = await promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 1e8 }).catch(
      (error: { stdout: string; stderr: string }) => error,
    );
    const shown = out.stdout
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line).index as number]));
    expect(out.stderr).toContain('wal/0001.wal: it cannot be read (EIO)');
    const { windows } = await claimsOf(folder, limitMs);
    const recovered = windows.filter(({ stream }) => stream === 'a').flatMap(({ readings }) => readings);
    expect(shown.length).toBeGreaterThan(100);
    expect(new Set(shown)).toEqual(new Set(recovered.map(({ index }) => index)));
  });

  it(`anywhere, ${more} times from seed ${first} on`, {
    timeout: limitMs + more * 60_000,
    retry: 0,
  }, async () => {
    for (let seed = first; seed < first + more; seed++) {
      const random = seededRandom(seed);
      const { folder, story } = await afterSpoiling(async (name) => {
        const told: string[] = [`seed ${seed}`];
        for (let n = 1 + randomInt(random, 3); n > 0; n--) {
          const files = filesIn(join(spools.disk.folder, name));
          const file = files[randomInt(random, files.length)]!;
          const where = (['first', 'middle', 'middle', 'last', 'all'] as const)[randomInt(random, 5)]!;
          told.push(await spoilFile(name, file, where, random));
        }
        return told.join(', ');
      }, random);
      const next = await claimsOf(folder, limitMs);
      expect(next.starts.a, story).toMatchObject({ floor: 9010, continuity: 'proven' });
      rmSync(folder, { recursive: true });
    }
  });
});
