// What a kill -9 left is damaged, and the disk that it lies on is read-only, full, or full whenever somebody wants room: the start
// waits, changes nothing for the worse, and once the disk takes writes again nothing is claimed falsely and each loss is told.
// HOLDFAST_DAMAGES draws so many more by the dice, HOLDFAST_SEED begins elsewhere.
import { fork, spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { Claims } from '../../runtime/spool/testing/claims.ts';
import { checkClaims } from '../../runtime/spool/testing/damage-oracle.ts';
import { damageFolder } from '../../runtime/spool/testing/damages.ts';
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
    const child = join(import.meta.dirname, '../../runtime/spool/testing/damage-child.ts');
    const { signal, stderr } = spawnSync(process.execPath, [child, killed]);
    expect(signal, String(stderr)).toBe('SIGKILL');
  });
  afterAll(() => disk.remove());

  async function claimsOf(folder: string, amid: () => Promise<void>): Promise<Claims> {
    const child = fork(join(import.meta.dirname, 'claims-child.ts'), [folder], { execArgv: [] });
    const tooLate = setTimeout(() => child.kill('SIGTERM'), limitMs);
    let claims: Claims | undefined;
    child.on('message', (said) => {
      claims = said as Claims;
    });
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
    await amid();
    expect(await ended, folder).toBe(0);
    clearTimeout(tooLate);
    return claims!;
  }

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
        const claims = await claimsOf(folder, async () => {
          await wait(shutMs);
          await set(disk, false);
        });
        checkClaims(claims, story);
        const next = await claimsOf(folder, async () => {});
        expect(next.starts.a, story).toEqual({ floor: 9010, continuity: 'proven' });
        rmSync(folder, { recursive: true });
      }
    },
  );
});
