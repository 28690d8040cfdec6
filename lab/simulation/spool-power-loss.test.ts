// Windows and spool on a disk that loses unsynced writes, cut off at thousands of points. After each run what
// was promised in it is checked against what the next one finds.
//
// HOLDFAST_SEED runs one seed; HOLDFAST_SEEDS sets how many.
import { describe, expect, it } from 'vitest';
import type { Random } from '../../kernel/random.ts';
import { plainCodec } from '../../runtime/spool/format/record.ts';
import { plainAfter, sealedWith } from '../../runtime/spool/testing/sealed.ts';
import { EngineDisk, limitsFor } from './simulated-disk.ts';
import { type CrashOptions, simulateSpoolCrashes } from './spool-crashes.ts';

const one = process.env.HOLDFAST_SEED;
const count = Number(process.env.HOLDFAST_SEEDS ?? 1000);
const perTest = 250;

const disks = {
  'one ordered store': {},
  // With about four times as many operations for the same work.
  'the engine': {
    diskOf: (random: Random, seed: number) => new EngineDisk(random, limitsFor(seed)),
    operations: 160,
  },
} satisfies Record<string, CrashOptions>;

describe.each(Object.entries(disks))('power loss, on %s', (name, options) => {
  const first = one === undefined ? 0 : Number(one);
  const seedCount = one !== undefined ? 1 : name === 'the engine' ? count : count / 4;
  const seeds = Array.from({ length: seedCount }, (_, n) => first + n);
  const groups = Array.from({ length: Math.ceil(seeds.length / perTest) }, (_, n) =>
    seeds.slice(n * perTest, (n + 1) * perTest),
  );

  it.each(groups.map((group) => [group[0], group.at(-1), group] as const))(
    'breaks no promise, seeds %i to %i',
    { timeout: 300_000 },
    async (_from, _to, group) => {
      const totals = { runs: 0, cuts: 0, promises: 0, evicted: 0, resent: 0, refusals: 0 };
      for (const seed of group) {
        const facts = await simulateSpoolCrashes(seed, options);
        for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += facts[key];
      }
      // The runs did meet what they are about.
      if (group.length > 100) {
        expect(totals.cuts).toBeGreaterThan(group.length);
        expect(totals.promises).toBeGreaterThan(group.length * 10);
        expect(totals.evicted).toBeGreaterThan(0);
        expect(totals.resent).toBeGreaterThan(0);
      }
    },
  );
});

describe('power loss of a disk that refuses now and then', () => {
  const first = one === undefined ? 9000 : Number(one);
  const last = one === undefined ? first + Math.ceil(count / 4) - 1 : first;

  it(`breaks no promise, seeds ${first} to ${last}`, { timeout: 300_000 }, async () => {
    let refusals = 0;
    for (let seed = first; seed <= last; seed++) {
      refusals += (await simulateSpoolCrashes(seed, { ...disks['the engine'], faults: true })).refusals;
    }
    if (one === undefined) expect(refusals).toBeGreaterThan(last - first);
  });
});

describe('power loss while records are sealed', () => {
  const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
  const first = one === undefined ? 5000 : Number(one);
  const last = one === undefined ? first + Math.ceil(count / 5) - 1 : first;

  it(`breaks no promise with another key in each run, seeds ${first} to ${last}`, {
    timeout: 300_000,
  }, async () => {
    let cuts = 0;
    for (let seed = first; seed <= last; seed++) {
      const codecs = keys.map((key, run) => {
        const before = keys.slice(0, run);
        // In some runs it is turned on late, or off in between.
        if ((seed + run) % 3 === 0) return before.length === 0 ? plainCodec : plainAfter(...before);
        return sealedWith(key, ...before);
      });
      cuts += (
        await simulateSpoolCrashes(seed, {
          ...disks['the engine'],
          codecOf: (run) => codecs[run] ?? plainAfter(...keys),
        })
      ).cuts;
    }
    expect(cuts).toBeGreaterThanOrEqual(last - first + 1);
  });
});
