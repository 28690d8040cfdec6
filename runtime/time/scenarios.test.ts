// Wrong clocks, and the exact windows that must come out. A source is polled once a second, from the start on; times
// are ms after noon, true time, which the monotonic clock counts. A window's age never ends it here, so that each
// window is one stretch of observation.
import { describe, expect, it } from 'vitest';
import { day, finish, hour, misplaced, noon, releasedAt, Site, windowsOf } from './testing/site.ts';

const never = 12_000;
const trusted = { trusted: true, mode: 'trusted' };
const trueTime = (site: Site) => noon + site.clock.monotonic();

/** A gateway that ran for ten seconds, on time, and was shut down. */
async function ranBefore(settings = {}) {
  const site = new Site(noon, settings);
  await site.start();
  await site.clock.advance(10_000);
  await site.stop();
  return site;
}

describe('a clock that was never set', () => {
  it('has readings wait, and gives them their true time when NTP comes after 40 s', async () => {
    const site = new Site(never);
    await site.start();
    expect(site.siteClock.state()).toMatchObject({ trusted: false, doubt: 'before-release' });
    await site.clock.advance(40_000);
    expect(await windowsOf(site)).toEqual([]);
    expect(site.siteClock.state().waitingBytes).toBeGreaterThan(1000);
    site.wall = trueTime(site);
    await site.clock.advance(10_000);
    expect(site.siteClock.state()).toMatchObject(trusted);
    expect(await finish(site)).toEqual(['0..50001 (51)']);
    expect(await misplaced(site)).toEqual([]);
  });

  it('says since when, and why, in words', async () => {
    const site = new Site(never);
    await site.start();
    await site.clock.advance(5000);
    expect(site.siteClock.state()).toMatchObject({
      mode: 'waiting',
      doubtedForMs: 5000,
      reason: expect.stringMatching(/shows 1970-01-01T00:00:17.*before this version was released.*never set/),
    });
  });

  it('goes on by what is known when the policy says so, marked; and comes right later', async () => {
    const site = new Site(never, { policyAfterMs: 60_000 });
    await site.start();
    await site.clock.advance(70_500);
    expect(site.siteClock.state()).toMatchObject({ trusted: false, mode: 'marked' });
    site.wall = trueTime(site);
    await site.clock.advance(9500);
    const first = releasedAt - noon;
    expect(await finish(site)).toEqual([`${first}..${first + 70_001} (71) marked`, '70001..80001 (10)']);
    expect(await misplaced(site)).toEqual([]);
  });

  it('waits for ever when the policy is to hold, and loses nothing', async () => {
    const site = new Site(never, { policy: 'hold', policyAfterMs: 0 });
    await site.start();
    await site.clock.advance(hour);
    expect(await windowsOf(site)).toEqual([]);
    site.wall = trueTime(site);
    await site.clock.advance(1000);
    expect(await finish(site)).toEqual(['0..3601001 (3602)']);
    expect(await misplaced(site)).toEqual([]);
  });

  it('goes on after a restart of the process in the same run of the machine', async () => {
    for (const end of ['kill', 'stop'] as const) {
      const site = new Site(never);
      await site.start();
      await site.clock.advance(20_300);
      await site[end]();
      await site.clock.advance(20_500 - site.clock.monotonic());
      await site.start();
      await site.clock.advance(20_000);
      site.wall = trueTime(site);
      await site.clock.advance(10_000);
      expect(await finish(site)).toEqual(['0..20001 (21)', '20500..50501 (31)']);
      expect(await misplaced(site)).toEqual([]);
    }
  });

  it('leaves a hole for what waited when the machine restarts, and counts it', async () => {
    const site = await ranBefore();
    await site.clock.advance(hour);
    await site.powerOn(never);
    await site.clock.advance(20_300);
    await site.kill();
    await site.clock.advance(hour);
    await site.powerOn(never);
    expect(site.siteClock.state().lost).toBe(21);
    await site.clock.advance(20_000);
    site.wall = trueTime(site);
    await site.clock.advance(1000);
    const from = 10_200 + hour + 20_300 + hour;
    expect(await finish(site)).toEqual(['0..10001 (11)', `${from}..${from + 21_001} (22)`]);
    expect(await misplaced(site)).toEqual([]);
  });

  it('never sets a reading below what was recorded, whatever was guessed', async () => {
    const site = await ranBefore({ policyAfterMs: 5000 });
    await site.clock.advance(hour);
    await site.powerOn(never);
    await site.clock.advance(9500);
    // The machine has run for at least its uptime since the last record.
    const guess = 10_001 + 10_000;
    expect(await finish(site)).toEqual(['0..10001 (11)', `${guess}..${guess + 9001} (10) marked`]);
  });

  it('stays marked after a restart of the process, without waiting anew', async () => {
    const site = new Site(never, { policyAfterMs: 5000 });
    await site.start();
    await site.clock.advance(7500);
    await site.stop();
    await site.start();
    await site.clock.advance(1000);
    expect(site.siteClock.state()).toMatchObject({ mode: 'marked' });
    const first = releasedAt - noon;
    const second = first + 7700;
    expect(await finish(site)).toEqual([
      `${first}..${first + 7001} (8) marked`,
      `${second}..${second + 1001} (2) marked`,
    ]);
  });
});

describe('the journal of what waits', () => {
  it('is bounded: what is refused is a hole, counted, and what was kept stands', async () => {
    const site = new Site(never, { policy: 'hold', provisionalMaxBytes: 64 * 1024 });
    await site.start();
    await site.clock.advance(hour);
    const { refused, waitingBytes } = site.siteClock.state();
    expect(refused).toBeGreaterThan(1000);
    expect(waitingBytes).toBeLessThan(66 * 1024);
    const kept = 3601 - refused;
    site.wall = trueTime(site);
    await site.clock.advance(10_000);
    expect(await finish(site)).toEqual([`0..${(kept - 1) * 1000 + 1} (${kept})`, '3601000..3610001 (10)']);
    expect(await misplaced(site)).toEqual([]);
  });

  it('ends the wait when it is nearly full and the policy is to go on: nothing is refused', async () => {
    const site = new Site(never, { policyAfterMs: 7 * day, provisionalMaxBytes: 64 * 1024 });
    await site.start();
    await site.clock.advance(hour);
    expect(site.siteClock.state()).toMatchObject({ mode: 'marked', refused: 0 });
    const first = releasedAt - noon;
    expect(await finish(site)).toEqual([`${first}..${first + hour + 1} (3601) marked`]);
  });
});

describe('a clock that starts in the past', () => {
  it.each([
    ['an hour before the last record', -hour],
    ['a second before it', -1000],
    ['where it was saved last, while the machine went down', 20_000],
  ])('%s: waits, and NTP puts it right', async (_, savedAt) => {
    const site = await ranBefore();
    await site.clock.advance(2 * hour);
    await site.powerOn(noon + 10_200 + savedAt + 10_000);
    expect(site.siteClock.state().trusted).toBe(false);
    await site.clock.advance(40_000);
    site.wall = trueTime(site);
    await site.clock.advance(5000);
    const from = 10_200 + 2 * hour;
    expect(await finish(site)).toEqual(['0..10001 (11)', `${from}..${from + 45_001} (46)`]);
    expect(await misplaced(site)).toEqual([]);
  });

  it('is not right because it passes the last record while it ticks', async () => {
    const site = await ranBefore({ policy: 'hold' });
    await site.clock.advance(5 * hour);
    await site.powerOn(noon + 10_200 - hour);
    await site.clock.advance(2 * hour);
    expect(site.siteClock.state()).toMatchObject({ trusted: false, doubt: 'behind-recorded' });
    expect(await finish(site)).toEqual(['0..10001 (11)']);
  });

  it('after a quick restart with a good clock costs a minute of waiting, and nothing else', async () => {
    const site = await ranBefore();
    await site.clock.advance(30_000);
    await site.powerOn(trueTime(site));
    await site.clock.advance(59_000);
    expect(site.siteClock.state()).toMatchObject({ trusted: false, doubt: 'unconfirmed' });
    await site.clock.advance(1000);
    expect(site.siteClock.state()).toMatchObject(trusted);
    expect(await finish(site)).toEqual(['0..10001 (11)', '40200..100201 (61)']);
    expect(await misplaced(site)).toEqual([]);
  });

  it('after a long time off with a good clock is trusted at once', async () => {
    const site = await ranBefore();
    await site.clock.advance(hour);
    await site.powerOn(trueTime(site));
    expect(site.siteClock.state()).toMatchObject(trusted);
  });

  it('in a process that restarts in the same run of the machine is trusted as before', async () => {
    const site = await ranBefore();
    await site.clock.advance(1000);
    await site.start();
    expect(site.siteClock.state()).toMatchObject(trusted);
    await site.clock.advance(5000);
    expect(await finish(site)).toEqual(['0..10001 (11)', '11200..16201 (6)']);
  });
});

describe('a clock that starts in the future', () => {
  it('by a day, then put right: nothing is lost, nothing overlaps, all is marked until time catches up', async () => {
    const site = new Site(noon + day);
    await site.start();
    await site.clock.advance(60_500);
    site.wall = trueTime(site);
    await site.clock.advance(9500);
    expect(site.siteClock.state()).toMatchObject({ trusted: true, aheadMs: day - 9990 });
    expect(await finish(site)).toEqual([
      `${day}..${day + 60_001} (61)`,
      `${day + 60_001}..${day + 60_011} (10) marked`,
    ]);
  });

  it('by more than 20 years is not believed', async () => {
    const site = new Site(Date.UTC(2080, 0, 1));
    await site.start();
    expect(site.siteClock.state()).toMatchObject({ trusted: false, doubt: 'far-ahead' });
  });
});

describe('a clock that is set while it is trusted', () => {
  it.each([
    ['5 s forward', 5000, ['0..10001 (11)', '15001..25001 (10)']],
    ['1 h forward', hour, ['0..10001 (11)', `${10_001 + hour}..${20_001 + hour} (10)`]],
    ['500 ms forward', 500, ['0..20501 (21)']],
    ['500 ms back', -500, ['0..19501 (21)']],
    ['5 s back', -5000, ['0..10001 (11)', '10001..15001 (10) 3 marked']],
    ['1 h back', -hour, ['0..10001 (11)', '10001..10011 (10) marked']],
  ])('%s', async (_, stepMs, expected) => {
    const site = new Site(noon);
    await site.start();
    await site.clock.advance(10_500);
    site.clock.stepWall(stepMs);
    await site.clock.advance(9500);
    expect(site.siteClock.state()).toMatchObject(trusted);
    expect(await finish(site)).toEqual(expected);
  });

  it('back by less than a slew between fast polls keeps order and marks nothing', async () => {
    const site = new Site(noon);
    site.pollMs = 100;
    await site.start();
    await site.clock.advance(10_550);
    site.clock.stepWall(-500);
    await site.clock.advance(1000);
    expect(await finish(site)).toEqual(['0..11001 (116)']);
    const indices = (await site.stored()).flatMap(({ readings }) =>
      readings.map(({ index }) => index - noon),
    );
    expect(indices.slice(104, 113)).toEqual([
      10_400, 10_500, 10_501, 10_502, 10_503, 10_504, 10_505, 10_600, 10_700,
    ]);
  });

  it('back by an hour is caught up with after an hour', async () => {
    const site = new Site(noon);
    await site.start();
    await site.clock.advance(10_500);
    site.clock.stepWall(-hour);
    await site.clock.advance(hour + 19_500);
    expect(site.siteClock.state()).not.toHaveProperty('aheadMs');
    expect(await finish(site)).toEqual(['0..10001 (11)', '10001..30001 (3620) 3601 marked']);
  });

  it('back and forth again', async () => {
    const site = new Site(noon);
    await site.start();
    await site.clock.advance(10_500);
    site.clock.stepWall(-hour);
    await site.clock.advance(10_000);
    site.clock.stepWall(hour);
    await site.clock.advance(10_000);
    expect(site.siteClock.state().steps).toEqual({ forward: 1, back: 1 });
    expect(await finish(site)).toEqual(['0..10001 (11)', '10001..10011 (10) marked', '20001..30001 (10)']);
    expect(await misplaced(site)).toEqual([]);
  });

  it('to 1970 and right again: what came between waited, and no hole is left', async () => {
    const site = new Site(noon);
    await site.start();
    await site.clock.advance(10_500);
    site.wall = never;
    await site.clock.advance(10_000);
    expect(site.siteClock.state()).toMatchObject({ trusted: false, doubt: 'before-release' });
    site.wall = trueTime(site);
    await site.clock.advance(10_000);
    expect(await finish(site)).toEqual(['0..10001 (11)', '10001..30001 (20)']);
    expect(await misplaced(site)).toEqual([]);
  });

  it('to 1970 for good: goes on where it was, marked', async () => {
    const site = new Site(noon, { policyAfterMs: 5000 });
    await site.start();
    await site.clock.advance(10_500);
    site.wall = never;
    await site.clock.advance(9500);
    expect(await finish(site)).toEqual(['0..10001 (11)', '10001..20001 (10) marked']);
  });

  it('while a commit is in flight', async () => {
    const site = new Site(noon);
    await site.start();
    await site.clock.advance(10_000);
    const disk = Promise.withResolvers<void>();
    site.store.faults.beforeBatch = () => disk.promise;
    await site.clock.advance(500);
    site.clock.stepWall(5000);
    await site.clock.advance(5000);
    site.store.faults.beforeBatch = async () => {};
    disk.resolve();
    await site.clock.advance(500);
    expect(await finish(site)).toEqual(['0..10001 (11)', '15001..21001 (6)']);
  });

  it('while the process is down', async () => {
    const site = await ranBefore();
    site.clock.stepWall(-5000);
    await site.clock.advance(800);
    await site.start();
    await site.clock.advance(5000);
    expect(site.siteClock.state().steps).toEqual({ forward: 0, back: 1 });
    // 4,001, 3,002 and 2,003 ms off; the next ones less than a slew.
    expect(await finish(site)).toEqual(['0..10001 (11)', '10002..11001 (6) 3 marked']);
  });

  it('back by an hour: an outage while it has not caught up leaves a hole, wherever it lies', async () => {
    const site = new Site(noon);
    await site.start();
    await site.clock.advance(10_500);
    site.clock.stepWall(-hour);
    await site.clock.advance(10_000);
    site.outage(600_000);
    await site.clock.advance(610_000);
    site.breakOff();
    await site.clock.advance(10_000);
    const windows = (await finish(site)).map((window) => window.split(/\.\.| /));
    expect(windows).toHaveLength(4);
    for (const [n, [start]] of windows.entries())
      if (n > 1) expect(Number(start)).toBeGreaterThan(Number(windows[n - 1]![1]));
  });

  it('while nothing is observed', async () => {
    const site = new Site(noon);
    await site.start();
    await site.clock.advance(10_500);
    site.breakOff();
    site.clock.stepWall(5000);
    await site.clock.advance(9500);
    expect(await finish(site)).toEqual(['0..10001 (11)', '16000..25001 (10)']);
  });
});

describe("the operator's settings", () => {
  it('trust: always takes the clock as it is', async () => {
    const site = await ranBefore({ trust: 'always' });
    await site.clock.advance(1000);
    await site.powerOn(noon - hour);
    expect(site.siteClock.state()).toMatchObject(trusted);
    await site.clock.advance(2000);
    expect(await finish(site)).toEqual(['0..10001 (11)', '10002..10005 (3) marked']);
  });

  it('trust: synchronised waits to see it set', async () => {
    const site = new Site(noon - hour, { trust: 'synchronised' });
    await site.start();
    await site.clock.advance(10_000);
    expect(site.siteClock.state()).toMatchObject({ trusted: false, doubt: 'not-synchronised' });
    site.wall = trueTime(site);
    await site.clock.advance(10_000);
    expect(await finish(site)).toEqual(['0..20001 (21)']);
    expect(await misplaced(site)).toEqual([]);
  });
});

describe('a source that a reload removes', () => {
  it('while its readings wait: they get their time when the clock comes right, and then its stream is closed', async () => {
    const site = new Site(never);
    await site.start();
    await site.clock.advance(20_500);
    site.removeSource();
    await site.clock.advance(10_000);
    expect(site.siteClock.state().waitingBytes).toBeGreaterThan(500);
    expect(site.windows.streams()).toHaveLength(1);
    site.wall = trueTime(site);
    await site.clock.advance(5000);
    expect(site.siteClock.state()).toMatchObject({ ...trusted, lost: 0 });
    expect(site.siteClock.state().waitingBytes).toBeUndefined();
    expect(site.windows.streams()).toEqual([]);
    expect(await windowsOf(site)).toEqual(['0..20001 (21)']);
    expect(await misplaced(site)).toEqual([]);
  });

  it('when nothing waits: its stream is closed at once', async () => {
    const site = await ranBefore();
    await site.start();
    await site.clock.advance(5000);
    site.removeSource();
    await site.clock.advance(500);
    expect(site.windows.streams()).toEqual([]);
  });

  it('and another brings back before the clock comes right goes on, and stays open', async () => {
    const site = new Site(never);
    await site.start();
    await site.clock.advance(20_500);
    site.removeSource();
    await site.clock.advance(9500);
    site.addSource();
    await site.clock.advance(10_000);
    site.wall = trueTime(site);
    await site.clock.advance(5000);
    expect(site.windows.streams()).toHaveLength(1);
    expect(await finish(site)).toEqual(['0..20001 (21)', '30000..45001 (16)']);
    expect(await misplaced(site)).toEqual([]);
  });

  it('is not forgotten by a restart: what waited still gets its time', async () => {
    for (const end of ['kill', 'stop'] as const) {
      const site = new Site(never);
      await site.start();
      await site.clock.advance(20_500);
      site.removeSource();
      await site.clock.advance(1000);
      await site[end]();
      await site.start();
      expect(site.leftOpen).toEqual(['meter']);
      await site.clock.advance(5000);
      site.wall = trueTime(site);
      await site.clock.advance(5000);
      expect(site.siteClock.state()).toMatchObject({ ...trusted, lost: 0 });
      expect(site.windows.streams()).toEqual([]);
      expect(await windowsOf(site)).toEqual(['0..20001 (21)']);
      expect(await misplaced(site)).toEqual([]);
    }
  });
});
