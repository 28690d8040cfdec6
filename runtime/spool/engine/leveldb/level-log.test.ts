// LevelDB's log with damage at any byte: the records that are read are records that were written, in their order, and
// what is missing is named.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../../kernel/random.ts';
import { filesOf, makeFolder, removeFolders } from '../../testing/folders.ts';
import { readLog } from './level-log.ts';
import { openLevelStore } from './level-store.ts';

afterAll(removeFolders);

/** Of a process that did not close: 14 batches, of which one crosses the end of a block. */
async function writtenLog(): Promise<Buffer> {
  const folder = join(makeFolder(), 'store');
  const store = await openLevelStore({ folder });
  for (let n = 0; n < 14; n++) {
    const value = Buffer.alloc(n === 4 ? 33_000 : 50 + n, `value ${n} `);
    await store.batch([{ type: 'put', key: Buffer.from(`k${n}`), value }], { sync: false });
  }
  const [log] = filesOf(folder, /\.log$/);
  const bytes = readFileSync(log!);
  await store.close();
  return bytes;
}

/** Whether `some` are among `all` in the same order. */
function isPartOf(some: readonly Buffer[], all: readonly Buffer[]): boolean {
  let at = 0;
  for (const each of some) {
    while (at < all.length && !all[at]!.equals(each)) at++;
    if (at++ === all.length) return false;
  }
  return true;
}

describe("LevelDB's log", () => {
  it('is read whole, over the ends of blocks', async () => {
    const { records, bad, tornTail } = readLog(await writtenLog());
    expect([records.length, bad, tornTail]).toEqual([14, [], undefined]);
  });

  it('with a byte changed anywhere gives the other records, and names the damage', async () => {
    const bytes = await writtenLog();
    const { records: all } = readLog(bytes);
    const random = seededRandom(11);
    for (let n = 0; n < 60; n++) {
      const damaged = Buffer.from(bytes);
      const at = randomInt(random, bytes.byteLength);
      damaged[at]! ^= 1 + randomInt(random, 255);
      const { records, bad, tornTail } = readLog(damaged);
      expect(isPartOf(records, all), `byte ${at}`).toBe(true);
      if (records.length < all.length)
        expect(bad.length + (tornTail ? 1 : 0), `byte ${at}`).toBeGreaterThan(0);
      // One byte is in one fragment: no more than its record is lost, and what stands behind a wrong length.
      expect(records.length, `byte ${at}`).toBeGreaterThanOrEqual(all.length - 2);
    }
  });

  it('that ends anywhere gives the records before, and a torn end is no damage', async () => {
    const bytes = await writtenLog();
    const { records: all } = readLog(bytes);
    const random = seededRandom(12);
    for (let n = 0; n < 60; n++) {
      const { records, bad } = readLog(bytes.subarray(0, randomInt(random, bytes.byteLength)));
      expect(bad).toEqual([]);
      expect(records).toEqual(all.slice(0, records.length));
    }
  });

  it('of damaged bytes that all look like fragments is not searched for minutes, and the rest is read', async () => {
    const bytes = await writtenLog();
    const { records: all } = readLog(bytes);
    // Each second offset states a length of 4,097 bytes and a type that there is.
    const misleading = Buffer.alloc(32 * 1024 * 8, Buffer.from([0x10, 0x01]));
    const { records, bad } = readLog(Buffer.concat([misleading, bytes]));
    expect(bad.length).toBeGreaterThan(0);
    expect(records).toEqual(all);
  });
});
