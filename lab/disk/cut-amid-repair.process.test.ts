// The power goes once or twice while a damaged folder is opened: as its store is moved to the quarantine, salvaged, and put
// in its place. Nothing may be claimed falsely in the end, and what is lost must still be told: nobody heard it from a start
// that was cut off. HOLDFAST_DAMAGES sets how many, HOLDFAST_SEED begins elsewhere.
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../kernel/random.ts';
import { checkClaims } from '../../runtime/spool/testing/damage-oracle.ts';
import { damageFolder } from '../../runtime/spool/testing/damages.ts';
import { claimsOf } from './claims-of.ts';
import { cutAmidStart, syncAll } from './cut-amid-start.ts';
import { canMountFuse } from './fuse-disk.ts';
import { KilledSpools } from './killed-spools.ts';

const more = Number(process.env.HOLDFAST_DAMAGES ?? 6);
const first = Number(process.env.HOLDFAST_SEED ?? 1);
const limitMs = 120_000;
/** A start of a damaged folder changes something about so many times. */
const operations = 300;

describe.skipIf(!canMountFuse())(`${more} damaged folders from seed ${first} on, and power cuts`, () => {
  let spools: KilledSpools;
  beforeAll(async () => {
    spools = await KilledSpools.make();
  });
  afterAll(() => spools.remove());

  it('end with nothing claimed falsely, and each loss told', {
    timeout: more * limitMs,
    retry: 0,
  }, async () => {
    let cuts = 0;
    for (let seed = first; seed < first + more; seed++) {
      const random = seededRandom(seed);
      const { folder } = spools.copy();
      let story = `seed ${seed}, ${damageFolder(folder, random)}`;
      syncAll(folder);
      let isCut = true;
      for (let n = 1 + randomInt(random, 2); n > 0 && isCut; n--) {
        const operation = 1 + randomInt(random, operations);
        story += `, cut at ${operation}`;
        isCut = (await cutAmidStart(spools.disk, folder, operation, seed * 10 + n)).isCut;
        if (isCut) cuts++;
      }
      if (isCut) checkClaims(await claimsOf(folder, limitMs), story);
      rmSync(folder, { recursive: true, force: true });
    }
    // Else it shows nothing.
    expect(cuts).toBeGreaterThan(more / 3);
  });
});
