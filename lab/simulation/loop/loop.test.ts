import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openTestDatabase } from '../../../cloud-lite/testing/databases.ts';
import { finders, fixedSeeds, foundSeeds, metByFixedSeeds } from './fixed-seeds.ts';
import { type Meetings, sumOf } from './meetings.ts';
import { circumstancesOf, planted } from './planted.ts';
import { runWorld } from './world.ts';

const worlds = Number(process.env.HOLDFAST_SIM_SEEDS ?? fixedSeeds.length);
/** Worlds that nobody has lived through before. */
const fresh = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000) + 10_000_000;
const limit = { timeout: 600_000 };

describe('a simulated world', () => {
  it(`is innocent, whatever befalls it: ${worlds} seeds`, limit, async () => {
    let [decided, acted] = [0, 0];
    const met: Meetings[] = [];
    for (let seed = 1; seed <= worlds; seed++) {
      const { findings, readings, verdicts, actions, meetings } = await runWorld({ seed });
      met.push(meetings);
      decided += verdicts;
      acted += actions;
      expect(findings, `seed ${seed}`).toEqual([]);
      expect(readings).toBeGreaterThan(0);
    }
    if (worlds < fixedSeeds.length) return;
    const lost = Object.entries(metByFixedSeeds)
      .flatMap(([kind, states]) => states.map((state) => `${kind}/${state}`))
      .filter((cell) => sumOf(met)[cell] === undefined);
    expect(lost, 'reached no more').toEqual([]);
    expect(decided).toBeGreaterThan(0);
    expect(acted).toBeGreaterThan(0);
  });

  it(`is innocent in a world that is new: seed ${fresh}`, limit, async () => {
    expect((await runWorld({ seed: fresh })).findings).toEqual([]);
  });

  it.each(foundSeeds)(
    'is innocent where it was not: seed $seed, $why',
    limit,
    async ({ seed, faults, isPlain = false, isEarly = isPlain }) => {
      expect((await runWorld({ seed, faults, isPlain, isEarly })).findings).toEqual([]);
    },
  );

  it('happens again, to the last line, from the same seed', limit, async () => {
    const again = promisify(execFile);
    const main = join(import.meta.dirname, 'main.ts');
    const runs = [1, 2].map(() => again(process.execPath, [main, '--seed', '5']));
    const [one, other] = await Promise.all(runs);
    const hash = (text: string) => /, ([0-9a-f]{12})$/m.exec(text)?.[1];
    expect(hash(one!.stdout)).toMatch(/^[0-9a-f]{12}$/);
    expect(hash(one!.stdout)).toBe(hash(other!.stdout));
  });

  it.each([
    [['--seeds', '0'], '1 or more'],
    [['--sabotage', 'end-inclusive', '--coverage'], 'cannot be used with'],
    [['--exhaustive', '--seeds', '3'], 'cannot be used with'],
  ])(
    'is not lived through where %j asks for nothing, or for what does not go together',
    async (asked, why) => {
      const main = join(import.meta.dirname, 'main.ts');
      const run = promisify(execFile)(process.execPath, [main, ...asked]);
      await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(why) });
    },
  );

  it('is innocent with the real detectors on a real database, too', limit, async () => {
    const database = await openTestDatabase();
    expect((await runWorld({ seed: 5, database })).findings).toEqual([]);
    await database.close();
  });
});

describe('a bug that is planted', () => {
  it.each(Object.keys(planted))('%s is found within six worlds', limit, async (name) => {
    const bug = planted[name]!;
    const found: string[] = [];
    const first = finders[name] ?? 1;
    for (let seed = first; seed < first + 6; seed++) {
      const { findings } = await runWorld({ seed, ...circumstancesOf(bug) });
      found.push(...findings.map(({ verdict }) => verdict));
      if (found.some((verdict) => bug.foundAs.includes(verdict as never))) return;
    }
    expect(found, 'found as something else, or not at all').toContain(bug.foundAs[0]);
  });
});
