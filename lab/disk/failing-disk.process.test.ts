// A disk fails for a while beside a real process on a real LevelDB: its syncs fail, and some of what they were to write is never
// written, though reading shows it; or it takes no new file; or nothing at all. Then the power goes. What had been promised must come out in the end. HOLDFAST_CUTS sets
// how often, HOLDFAST_SEED begins elsewhere.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import { checkPromises, factsIn } from '../../runtime/spool/testing/kill-oracle.ts';
import { canMountFuse, FuseDisk } from './fuse-disk.ts';
import { startSpoolProcess } from './spool-process.ts';

const cuts = Number(process.env.HOLDFAST_CUTS ?? 3);
const seed = Number(process.env.HOLDFAST_SEED ?? 1);
const home = mkdtempSync(join(tmpdir(), 'holdfast-failing-disk-'));
/** What the log says of it. */
const troubles = new Set<unknown>(['disk-refuses', 'store-open-failed', 'store-write-failed']);
const logFile = join(home, 'promises.jsonl');

const failures = [
  (disk: FuseDisk, one: number | undefined) => disk.syncsFail(one),
  (disk: FuseDisk, one: number | undefined) => disk.noInodes(one !== undefined),
  (disk: FuseDisk, one: number | undefined) => disk.readOnly(one !== undefined),
] as const;

describe.skipIf(!canMountFuse())(`${cuts} power cuts behind a disk that failed, from seed ${seed} on`, () => {
  let disk: FuseDisk;
  beforeAll(async () => {
    disk = await FuseDisk.make();
  });
  afterAll(async () => {
    await disk.remove();
    rmSync(home, { recursive: true, force: true });
  });

  const start = (run: number, mode: 'work' | 'drain') => startSpoolProcess(disk, logFile, run, mode);

  async function life(run: number, random: Random): Promise<void> {
    const working = start(run, 'work');
    // Amid the start, or amid the work; once or twice.
    for (let times = 1 + randomInt(random, 2); times > 0; times--) {
      await Promise.race([wait(300 + randomInt(random, 3000)), working.ended]);
      const fail = failures[run % 2 === 0 ? 0 : 1 + randomInt(random, 2)]!;
      await fail(disk, seed * 1_000_003 + run * 10 + times);
      await Promise.race([wait(randomInt(random, 1500)), working.ended]);
      await fail(disk, undefined);
    }
    await Promise.race([wait(randomInt(random, 1500)), working.ended]);
    await disk.cutNow();
    expect(working.process.exitCode, `run ${run} ended by itself`).toBeNull();
    working.process.kill('SIGKILL');
    await disk.letGo();
    await working.ended;
    await disk.powerBack(seed * 1_000_003 + run);
  }

  it('break no promise', { timeout: 60_000 + cuts * 25_000, retry: 0 }, async () => {
    const random = seededRandom(seed);
    for (let run = 0; run < cuts; run++) await life(run, random);
    await start(cuts, 'drain').ended;
    const facts = factsIn(logFile);
    const isTrouble = (fact: object) => 'code' in fact && troubles.has(fact.code);
    checkPromises(
      facts.filter((fact) => !isTrouble(fact)),
      cuts,
      true,
    );
    // Else it shows nothing.
    expect(facts.filter(isTrouble).length).toBeGreaterThan(0);
  });
});
