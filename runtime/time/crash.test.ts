// The process dies at each write around the moment at which the clock becomes trusted; and machines, clocks and processes
// behave as badly as a seed can make them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { day, finish, hour, misplaced, noon, type SentWindow, Site } from './testing/site.ts';

const never = 12_000;

/** Every rule that windows must keep, whatever happened. */
function breaches(sent: readonly SentWindow[]): readonly string[] {
  const found: string[] = [];
  let end = Number.NEGATIVE_INFINITY;
  let index = Number.NEGATIVE_INFINITY;
  let value = -1;
  for (const window of sent) {
    if (window.late) found.push(`a late window at ${window.start - noon}`);
    if (window.start < end) found.push(`a window at ${window.start - noon} overlaps the one before it`);
    end = window.end;
    for (const reading of window.readings) {
      if (reading.index <= index) found.push(`index ${reading.index - noon} does not go on`);
      if ((reading.value as number) <= value) found.push(`reading ${reading.value} is out of order`);
      if (reading.index < window.start || reading.index >= end) found.push(`${reading.value} lies outside`);
      index = reading.index;
      value = reading.value as number;
    }
  }
  return found;
}

describe('a crash while the clock comes right', () => {
  it('at any write neither loses nor repeats a reading that was durable', async () => {
    let crashes = 0;
    for (let writes = 0; ; writes++) {
      const site = new Site(never);
      await site.start();
      await site.clock.advance(20_300);
      let left = writes;
      let survives = site.store;
      // What is on the disk just before write number `writes`.
      site.store.faults.beforeBatch = async () => {
        if (left-- === 0) survives = site.store.restarted();
      };
      site.wall = noon + 20_300;
      await site.clock.advance(2000);
      const isReached = left < 0;
      site.store = survives;
      await site.kill();
      if (!isReached) break;
      crashes++;
      await site.start();
      await site.clock.advance(3000);
      const shown = await finish(site);
      const sent = await site.stored();
      expect(breaches(sent)).toEqual([]);
      expect(await misplaced(site)).toEqual([]);
      // What was durable before the clock was set: readings 0 to 20.
      const values = sent.flatMap(({ readings }) => readings.map(({ value }) => value as number));
      expect(
        values.filter((value) => value <= 20),
        `write ${writes}: ${shown}`,
      ).toHaveLength(21);
    }
    expect(crashes).toBeGreaterThan(5);
  });
});

describe('a stop while the clock comes right', () => {
  it('leaves what waits to the next process, once', async () => {
    const site = new Site(never);
    await site.start();
    await site.clock.advance(20_300);
    const disk = Promise.withResolvers<void>();
    site.store.faults.beforeBatch = () => disk.promise;
    site.wall = noon + 20_300;
    await site.clock.advance(1000);
    const stopped = site.stop();
    await site.clock.advance(500);
    disk.resolve();
    await stopped;
    await site.start();
    await site.clock.advance(3000);
    expect((await finish(site))[0]).toBe('0..21001 (22)');
    expect(breaches(await site.stored())).toEqual([]);
    expect(await misplaced(site)).toEqual([]);
  });
});

type Act =
  | { readonly do: 'run'; readonly ms: number }
  | { readonly do: 'step'; readonly ms: number }
  | { readonly do: 'set'; readonly to: 'never' | 'true' | 'ahead' }
  | {
      readonly do: 'kill' | 'stop' | 'power';
      readonly offMs: number;
      readonly wall: 'never' | 'saved' | 'true';
    };

const stepMs = fc.oneof(
  fc.integer({ min: -3000, max: 3000 }),
  fc.integer({ min: -2 * hour, max: 2 * hour }),
  fc.constantFrom(day, -day),
);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('run' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('step' as const), ms: stepMs }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('set' as const), to: fc.constantFrom('never', 'true', 'ahead') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('kill', 'stop', 'power'),
      offMs: fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 60_000, max: 20 * 60_000 })),
      wall: fc.constantFrom('never', 'saved', 'true'),
    }),
  },
) as fc.Arbitrary<Act>;

/** Runs the acts; what the wall clock said, less true time, from which moment on in which run of the machine. */
async function play(site: Site, acts: readonly Act[]) {
  const offsets: { readonly at: number; readonly boot: string; readonly offset: number }[] = [];
  const note = () => {
    const at = site.clock.monotonic();
    offsets.push({ at, boot: site.bootId, offset: site.wall - noon - at });
  };
  const walls = {
    never: () => never,
    true: () => noon + site.clock.monotonic(),
    ahead: () => site.wall + day,
  };
  await site.start();
  note();
  for (const now of acts) {
    if (now.do === 'run') await site.clock.advance(now.ms);
    else if (now.do === 'step') site.clock.stepWall(now.ms);
    else if (now.do === 'set') site.wall = walls[now.to]();
    else {
      const saved = site.wall;
      await (now.do === 'stop' ? site.stop() : site.kill());
      await site.clock.advance(now.offMs);
      if (now.do === 'power') await site.powerOn(now.wall === 'saved' ? saved : walls[now.wall]());
      else await site.start();
    }
    note();
  }
  await site.clock.advance(500);
  note();
  return offsets;
}

describe('whatever clocks and processes do', () => {
  it('windows never overlap, indices never go back, and no reading stands unmarked where it does not belong', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { minLength: 1, maxLength: 14 }),
        fc.constantFrom('hold' as const, 'go-on-marked' as const),
        fc.constantFrom(0, 20_000, 300_000),
        fc.constantFrom(noon, never, noon + day),
        async (acts, policy, policyAfterMs, wall) => {
          const site = new Site(wall, { policy, policyAfterMs });
          site.pollMs = 700;
          const offsets = await play(site, acts);
          await finish(site);
          const sent = await site.stored();
          expect(breaches(sent)).toEqual([]);
          for (const { index, quality, value } of sent.flatMap(({ readings }) => readings)) {
            if (quality !== 'good') continue;
            const at = site.readAt[value as number]!;
            const since = offsets.findLastIndex((entry) => entry.at < at);
            // Its time is what the clock said then, or later in the same run of the machine, when it came right.
            const boot = site.readIn[value as number];
            const said = offsets.slice(Math.max(0, since)).filter((entry) => entry.boot === boot);
            const nearest = Math.min(...said.map(({ offset }) => Math.abs(index - noon - at - offset)));
            expect(nearest, `reading ${value} at ${at}`).toBeLessThanOrEqual(2000);
          }
        },
      ),
      { numRuns: Number(process.env.HOLDFAST_RUNS ?? 60) },
    );
  });

  it('the same over hundreds of small steps', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const random = seededRandom(seed);
      const site = new Site(noon);
      site.pollMs = 50;
      await site.start();
      for (let step = 0; step < 100; step++) {
        await site.clock.advance(Math.floor(random.next() * 300));
        site.clock.stepWall(Math.floor((random.next() - 0.5) * 5000));
      }
      await finish(site);
      expect(breaches(await site.stored()), `seed ${seed}`).toEqual([]);
    }
  });
});
