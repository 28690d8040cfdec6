// Retention on a gateway whose clock is wrong: nothing may age by a step of the clock.
import { describe, expect, it } from 'vitest';
import { day, noon, Site } from './testing/site.ts';

const never = 12_000;
const hour = day / 24;

/** A window of equipment that stamps its own samples: it waits for no clock of ours. */
async function storeWindow(site: Site, start: number): Promise<void> {
  const sink = site.windows.openStream({ batchId: 'press', index: 'time' });
  sink.emit({ kind: 'resumed', at: start });
  sink.emit({ kind: 'observed', until: start + 5000 });
  sink.emit({ kind: 'broken', at: start + 5000, reason: 'test' });
  await site.clock.advance(500);
}

const unsent = (site: Site) => {
  const { live, backlog } = site.spool.stats().lanes;
  return live.messages + backlog.messages;
};

describe('age', () => {
  it('does not count while the clock is not trusted', async () => {
    const site = new Site(noon);
    site.unsentMs = 7 * day;
    await site.start();
    await storeWindow(site, noon - day);
    // Far past everything, but not believed.
    site.wall = Date.UTC(2090, 0, 1);
    await site.clock.advance(1000);
    expect(site.siteClock.trusted()).toBe(false);
    const before = unsent(site);
    await site.spool.compact();
    expect(unsent(site)).toBe(before);
    expect(site.spool.stats().evicted).toBe(0);
  });

  it('counts from when the clock came right, for what was stored before', async () => {
    const site = new Site(never);
    site.unsentMs = hour;
    await site.start();
    await storeWindow(site, noon - day);
    site.wall = noon;
    await site.clock.advance(2000);
    await site.spool.compact();
    // Stored in "1970", which is longer ago than anything is kept.
    expect(site.spool.stats().evicted).toBe(0);
    expect(unsent(site)).toBe(1);
    await site.clock.advance(0.9 * hour);
    await site.spool.compact();
    expect(site.spool.stats().evicted).toBe(0);
    await site.clock.advance(0.2 * hour);
    await site.spool.compact();
    expect(site.spool.stats().evicted).toBe(1);
  });

  it('is what has passed, not how far a trusted clock was set forward, also after a restart', async () => {
    const site = new Site(noon);
    site.unsentMs = hour;
    await site.start();
    await storeWindow(site, noon - day);
    await site.clock.advance(0.4 * hour);
    // Without a look at the clock in between: whoever asks is the first to see it.
    site.clock.stepWall(30 * day);
    expect(site.siteClock.trusted()).toBe(true);
    const expectsKept = async () => {
      await site.spool.compact();
      expect(site.spool.stats().evicted).toBe(0);
    };
    await expectsKept();
    await site.stop();
    await site.start();
    await site.clock.advance(2000);
    await expectsKept();
    // Put right again, and set once more: the age is the same.
    site.clock.stepWall(-30 * day);
    await site.clock.advance(2000);
    await expectsKept();
    site.clock.stepWall(10 * day);
    await site.clock.advance(0.4 * hour);
    await expectsKept();
    await site.clock.advance(0.3 * hour);
    await site.spool.compact();
    expect(site.spool.stats().evicted).toBe(1);
  });

  it('counts from there also after a restart of the process, and for what a crash left open', async () => {
    const site = new Site(never);
    site.unsentMs = 7 * day;
    await site.start();
    const sink = site.windows.openStream({ batchId: 'press', index: 'time' });
    sink.emit({ kind: 'resumed', at: noon - day });
    sink.emit({ kind: 'observed', until: noon - day + 5000 });
    await site.clock.advance(5000);
    await site.kill();
    await site.start();
    expect(unsent(site)).toBe(1);
    site.wall = noon;
    await site.clock.advance(2000);
    await site.stop();
    await site.start();
    await site.spool.compact();
    expect(site.spool.stats().evicted).toBe(0);
    expect(site.siteClock.trusted()).toBe(true);
  });
});
