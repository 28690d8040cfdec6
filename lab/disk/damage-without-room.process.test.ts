import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { checkClaims } from '../../runtime/spool/testing/damage-oracle.ts';
import { damageFolder } from '../../runtime/spool/testing/damages.ts';
import { claimsOf, makeKilledSpool } from './claims-of.ts';
import { canMountFuse, FuseDisk } from './fuse-disk.ts';

const more = Number(process.env.HOLDFAST_DAMAGES ?? 1);
const first = Number(process.env.HOLDFAST_SEED ?? 1);
const limitMs = 120_000;
/** A start has come to where it waits by then, and has tried again; where it has not, less is shown. */
const shutMs = 2000;

const troubles = {
  'read-only': (disk: FuseDisk, on: boolean) => disk.readOnly(on),
  full: (disk: FuseDisk, on: boolean) => disk.capacity(on ? 0 : undefined),
  'full whenever room is wanted': (disk: FuseDisk, on: boolean) => disk.taken(on),
} as const;

describe.skipIf(!canMountFuse())('a damaged folder on a disk that takes no writes', () => {
  let disk: FuseDisk;
  let killed: string;
  beforeAll(async () => {
    disk = await FuseDisk.make();
    killed = join(disk.folder, 'killed');
    makeKilledSpool(killed);
  });
  afterAll(() => disk.remove());

  it.each(Object.entries(troubles))(
    `%s: ${more} from seed ${first} on`,
    {
      timeout: limitMs * (1 + more),
      retry: 0,
    },
    async (name, set) => {
      for (let seed = first; seed < first + more; seed++) {
        const folder = join(disk.folder, `seed-${seed}`);
        cpSync(killed, folder, { recursive: true, filter: (path) => !/\/(ballast|reserve)$/.test(path) });
        const story = `${name}, seed ${seed}, ${damageFolder(folder, seededRandom(seed))}`;
        await set(disk, true);
        const claims = await claimsOf(folder, limitMs, async () => {
          await wait(shutMs);
          await set(disk, false);
        });
        checkClaims(claims, story);
        const next = await claimsOf(folder, limitMs);
        expect(next.starts.a, story).toMatchObject({ floor: 9010, continuity: 'proven' });
        rmSync(folder, { recursive: true });
      }
    },
  );
});
