// The power goes once or twice while a damaged folder is opened: as its store is moved to the quarantine, salvaged, and put
// in its place. Nothing may be claimed falsely in the end, and what is lost must still be told: nobody heard it from a start
// that was cut off. HOLDFAST_DAMAGES sets how many, HOLDFAST_SEED begins elsewhere.
import { fork } from 'node:child_process';
import { closeSync, cpSync, fsyncSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../kernel/random.ts';
import { checkClaims } from '../../runtime/spool/testing/damage-oracle.ts';
import { damageFolder } from '../../runtime/spool/testing/damages.ts';
import { claimsOf, makeKilledSpool } from './claims-of.ts';
import { canMountFuse, FuseDisk } from './fuse-disk.ts';

const more = Number(process.env.HOLDFAST_DAMAGES ?? 6);
const first = Number(process.env.HOLDFAST_SEED ?? 1);
const limitMs = 120_000;
/** A start of a damaged folder changes something about so many times. */
const operations = 300;

describe.skipIf(!canMountFuse())(`${more} damaged folders from seed ${first} on, and power cuts`, () => {
  let disk: FuseDisk;
  const home = mkdtempSync(join(tmpdir(), 'holdfast-cut-amid-repair-'));
  const killed = join(home, 'killed');
  beforeAll(async () => {
    disk = await FuseDisk.make();
    makeKilledSpool(killed);
  });
  afterAll(async () => {
    await disk.remove();
    rmSync(home, { recursive: true, force: true });
  });

  /** What stands there is no news any more. */
  function syncAll(folder: string): void {
    const sync = (path: string) => {
      const fd = openSync(path, 'r');
      fsyncSync(fd);
      closeSync(fd);
    };
    for (const each of readdirSync(folder, { withFileTypes: true, recursive: true })) {
      if (each.isFile() || each.isDirectory()) sync(join(each.parentPath, each.name));
    }
    sync(folder);
    sync(disk.folder);
  }

  /** False where the start was over before. */
  async function cutAmidStart(folder: string, operation: number, seed: number): Promise<boolean> {
    const { cut } = await disk.cutAt(operation);
    const child = fork(join(import.meta.dirname, 'claims-child.ts'), [folder], {
      execArgv: [],
      silent: true,
    });
    const ended = new Promise<boolean>((resolve) => child.on('exit', () => resolve(true)));
    const isOver = await Promise.race([cut.then(() => false), ended]);
    await disk.cutNow();
    child.kill('SIGKILL');
    await disk.letGo();
    await ended;
    await disk.powerBack(seed);
    return !isOver;
  }

  it('end with nothing claimed falsely, and each loss told', {
    timeout: more * limitMs,
    retry: 0,
  }, async () => {
    let cuts = 0;
    for (let seed = first; seed < first + more; seed++) {
      const random = seededRandom(seed);
      const folder = join(disk.folder, `seed-${seed}`);
      cpSync(killed, folder, { recursive: true, filter: (path) => !/\/(ballast|reserve)$/.test(path) });
      let story = `seed ${seed}, ${damageFolder(folder, random)}`;
      syncAll(folder);
      let isCut = true;
      for (let n = 1 + randomInt(random, 2); n > 0 && isCut; n--) {
        const operation = 1 + randomInt(random, operations);
        story += `, cut at ${operation}`;
        isCut = await cutAmidStart(folder, operation, seed * 10 + n);
        if (isCut) cuts++;
      }
      if (isCut) checkClaims(await claimsOf(folder, limitMs), story);
      rmSync(folder, { recursive: true, force: true });
    }
    // Else it shows nothing.
    expect(cuts).toBeGreaterThan(more / 3);
  });
});
