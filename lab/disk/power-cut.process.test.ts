// The power goes at random moments of a real process on a real LevelDB and real system calls, on a disk that loses what was
// not synced. What the process had promised before is checked against what comes out in the end; and a mere power cut is never
// called damage; nor are kills between power cuts. HOLDFAST_CUTS sets how many, HOLDFAST_SEED begins elsewhere.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import { checkPromises, factsIn } from '../../runtime/spool/testing/kill-oracle.ts';
import { canMountFuse, FuseDisk } from './fuse-disk.ts';
import { startSpoolProcess } from './spool-process.ts';

const cuts = Number(process.env.HOLDFAST_CUTS ?? 8);
const seed = Number(process.env.HOLDFAST_SEED ?? 1);
const home = mkdtempSync(join(tmpdir(), 'holdfast-power-cut-'));
const logFile = join(home, 'promises.jsonl');
// A life that has not come so far by then ends all the same.
const lifeLimitMs = 8000;

describe.skipIf(!canMountFuse())(`${cuts} power cuts from seed ${seed} on`, () => {
  let disk: FuseDisk;
  beforeAll(async () => {
    disk = await FuseDisk.make();
  });
  afterAll(async () => {
    await disk.remove();
    rmSync(home, { recursive: true, force: true });
  });

  const start = (run: number, mode: 'work' | 'drain') => startSpoolProcess(disk, logFile, run, mode);

  async function endedByKill(run: number): Promise<void> {
    const life = start(run, 'work');
    const opened = () => readFileSync(logFile, 'utf8').includes(`{"run":${run},"opened"`);
    for (const end = Date.now() + lifeLimitMs; !opened() && Date.now() < end; ) await wait(20);
    life.process.kill('SIGKILL');
    await life.ended;
  }

  async function endedByPowerCut(run: number, random: Random): Promise<void> {
    // Amid the start and what it repairs, or amid the work.
    const amidStart = run % 3 === 0;
    const operation = amidStart ? 1 + randomInt(random, 250) : 250 + randomInt(random, 1500);
    const { cut } = await disk.cutAt(operation);
    const life = start(run, 'work');
    await Promise.race([cut, wait(lifeLimitMs), life.ended]);
    await disk.cutNow();
    expect(life.process.exitCode, `run ${run} ended by itself`).toBeNull();
    life.process.kill('SIGKILL');
    await disk.letGo();
    await life.ended;
    await disk.powerBack(seed * 1_000_003 + run);
  }

  it('break no promise, and none is called damage', {
    timeout: 60_000 + cuts * 15_000,
    retry: 0,
  }, async () => {
    const random = seededRandom(seed);
    for (let run = 0; run < cuts; run++) {
      // What of the high-water mark is on the disk may be as of many starts ago.
      if (run % 5 > 2) await endedByKill(run);
      else await endedByPowerCut(run, random);
    }
    await start(cuts, 'drain').ended;
    expect(statSync(logFile).size).toBeGreaterThan(0);
    const facts = factsIn(logFile);
    checkPromises(facts, cuts, true);
    // Else it shows nothing. Of a few lives each may be cut before it promises anything.
    const least = Math.floor(cuts / 4) * 20;
    expect(facts.filter(({ durable }) => durable !== undefined).length).toBeGreaterThanOrEqual(least);
    expect(facts.filter(({ opened }) => opened !== undefined).length).toBeGreaterThan(cuts / 3);
  });
});
