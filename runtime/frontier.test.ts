// No void lies over what is observed, whatever is asked for and when: real windows, a real spool, real jobs.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { noMetrics } from '../kernel/metrics.ts';
import { seededRandom } from '../kernel/random.ts';
import { settle, VirtualClock } from '../kernel/testing/virtual-clock.ts';
import { intersection, normalise } from '../wire/coverage.ts';
import { parseMessage } from '../wire/message.ts';
import type { Window } from '../wire/window.ts';
import { frontierOf } from './frontier.ts';
import { createBackfillJobs } from './methods/backfill-jobs.ts';
import type { HistoryAnswer } from './methods/backfill-jobs-api.ts';
import type { SourceEvent } from './sources/source.ts';
import { MemoryStore } from './spool/engine/testing/memory-store.ts';
import type { Spool } from './spool/spool.ts';
import { openTestSpool, takeAll } from './spool/testing/open-test-spool.ts';
import { noon, Site } from './time/testing/site.ts';
import type { WindowStore } from './windows/window-store.ts';
import { createWindows } from './windows/windows.ts';
import type { Windows } from './windows/windows-api.ts';

const asked = (start: number, end: number, requestId = 'r1') =>
  ({
    kind: 'windows',
    requestId,
    batchId: 'meter',
    startWindow: String(start),
    endWindow: String(end),
    derivedId: false,
  }) as const;

async function jobsOn(
  windows: Windows,
  spool: Spool,
  clock: VirtualClock,
  answer: HistoryAnswer = 'no-history',
) {
  const jobs = createBackfillJobs({
    store: spool,
    sources: () => answer,
    frontier: frontierOf(windows, spool),
    queued: () => 0,
    clock,
    random: seededRandom(1),
    log: silentLog,
    metrics: noMetrics,
  });
  await jobs.start();
  return jobs;
}

/** All that a spool would send, by what it says. */
async function said(spool: Spool) {
  const voids: Window[] = [];
  const live: Window[] = [];
  for (const lane of ['backlog', 'live', 'backfill'] as const) {
    const taken = await takeAll(spool, lane);
    spool.release(taken);
    for (const { message } of taken) {
      const parsed = parseMessage(message.properties, {});
      if (parsed.kind === 'void') voids.push(parsed.window);
      else if (parsed.kind === 'batch') live.push(parsed.window);
    }
  }
  return { voids: normalise(voids), live: normalise(live) };
}

async function bench(store: (spool: Spool) => WindowStore = (spool) => spool) {
  const clock = new VirtualClock(noon);
  const { spool } = await openTestSpool(new MemoryStore(), { clock });
  const windows = createWindows({ store: store(spool), clock, log: silentLog, metrics: noMetrics });
  const sink = windows.openStream({ batchId: 'meter', index: 'time' });
  const jobs = await jobsOn(windows, spool, clock);
  const say = (...events: readonly SourceEvent[]) => events.map((event) => sink.emit(event));
  const sample = (index: number) =>
    say(
      { kind: 'readings', readings: [{ index, tag: 'v', value: index, quality: 'good' }] },
      { kind: 'observed', until: index + 1 },
    );
  return { clock, spool, windows, sink, jobs, say, sample };
}

describe('a request that reaches into the future', () => {
  it('makes nothing of it void: messages that are lost there later are missed', async () => {
    const { clock, spool, say, sample, jobs } = await bench();
    say({ kind: 'resumed', at: clock.now() });
    for (let n = 0; n < 60; n++) {
      await clock.advance(1000);
      sample(clock.now());
    }
    await jobs.request(asked(clock.now() - 3000, clock.now() + 600_000));
    for (let n = 0; n < 700; n++) {
      await clock.advance(1000);
      sample(clock.now());
    }
    const { voids, live } = await said(spool);
    expect(voids).toEqual([]);
    expect(live).toHaveLength(1);
    expect(jobs.get('r1')).toMatchObject({ state: 'done', voids: [] });
  });

  it('ends unanswered where nothing is observed any more, however far it reaches', async () => {
    const { clock, spool, windows, say, sample, jobs } = await bench();
    say({ kind: 'resumed', at: clock.now() });
    await clock.advance(1000);
    sample(clock.now());
    const end = clock.now() + 1;
    const closed = windows.closeStream('meter');
    await clock.advance(1000);
    await closed;
    await jobs.request(asked(end - 10, end + 1e12));
    await clock.advance(1_000_000);
    expect(jobs.get('r1')).toMatchObject({ state: 'cancelled', ended: 'beyond-observed' });
    expect((await said(spool)).voids).toEqual([]);
  });
});

describe('no void lies over', () => {
  it('what the open window observes, though the journal does not know of it yet', async () => {
    const { clock, spool, say, sample, jobs } = await bench();
    say({ kind: 'resumed', at: clock.now() });
    for (let n = 0; n < 10; n++) {
      await clock.advance(500);
      sample(clock.now());
    }
    await clock.advance(190);
    sample(clock.now() - 100);
    await jobs.request(asked(noon, clock.now()));
    await clock.advance(300_000);
    expect((await said(spool)).voids).toEqual([]);
  });

  it('a window that is closed and that the disk does not take', async () => {
    let isStalled = false;
    let release = () => {};
    const { clock, spool, say, sample, jobs } = await bench((inner) => ({
      openStream: (batchId, index) => inner.openStream(batchId, index),
      async commitWindows(changes) {
        if (isStalled) await new Promise<void>((resolve) => (release = resolve));
        return inner.commitWindows(changes);
      },
    }));
    say({ kind: 'resumed', at: clock.now() });
    sample(clock.now());
    await clock.advance(5000);
    isStalled = true;
    sample(clock.now());
    say({ kind: 'broken', at: clock.now() + 1, reason: 'test' });
    const end = clock.now() + 1;
    await clock.advance(10_000);
    say({ kind: 'resumed', at: clock.now() });
    const resumed = clock.now();
    await jobs.request(asked(noon, resumed));
    await clock.advance(100_000);
    expect((await said(spool)).voids).toEqual([]);
    isStalled = false;
    release();
    await clock.advance(100_000);
    expect((await said(spool)).voids).toEqual([{ start: end, end: resumed }]);
  });

  it('what waits for the clock', async () => {
    const site = new Site(Date.UTC(2020, 0, 1));
    await site.start();
    await site.clock.advance(30_000);
    site.wall = noon + 30_000;
    await site.clock.advance(30_000);
    expect(site.siteClock.trusted()).toBe(true);
    // It can no longer be right: what is polled from here on waits.
    site.wall = Date.UTC(2020, 0, 1);
    await site.clock.advance(60_000);
    expect(site.siteClock.trusted()).toBe(false);
    const jobs = await jobsOn(site.windows, site.spool, site.clock);
    await jobs.request(asked(noon - 60_000, noon + 3_600_000));
    await site.clock.advance(300_000);
    site.wall = noon + 420_000;
    await site.clock.advance(120_000);
    await site.stop();
    await site.start();
    const { voids, live } = await said(site.spool);
    expect(live.length).toBeGreaterThan(0);
    expect(intersection(voids, live)).toEqual([]);
  });

  it('anything that is ever claimed, whatever comes and whatever is asked for', async () => {
    const step = fc.record({
      kind: fc.constantFrom(
        'wait',
        'sample',
        'sample',
        'sample',
        'break',
        'leap',
        'back',
        'ask',
        'ask',
        'close',
      ),
      by: fc.nat(20_000),
      length: fc.nat(40_000),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.boolean(),
        async (steps, isUnordered) => {
          const clock = new VirtualClock(noon);
          const { spool } = await openTestSpool(new MemoryStore(), { clock });
          const windows = createWindows({ store: spool, clock, log: silentLog, metrics: noMetrics });
          const sink = windows.openStream({ batchId: 'meter', index: 'time', isUnordered });
          const jobs = await jobsOn(windows, spool, clock);
          // The equipment's clock, less ours.
          let lead = 0;
          let isBroken = true;
          const now = () => clock.now() + lead;
          for (const [n, { kind, by, length }] of steps.entries()) {
            if (kind === 'wait') await clock.advance(by);
            else if (kind === 'break') {
              sink.emit({ kind: 'broken', at: now(), reason: 'test' });
              isBroken = true;
            } else if (kind === 'leap') lead += by * 200;
            else if (kind === 'back') lead -= by * 100;
            else if (kind === 'ask') await jobs.request(asked(now() - length, now() - length + by, `r${n}`));
            else if (kind === 'close' && by % 5 === 0)
              await Promise.all([windows.closeAll(), clock.advance(500)]);
            else {
              await clock.advance(by / 10);
              if (isBroken) isBroken = !sink.emit({ kind: 'resumed', at: now() });
              const reading = { index: now(), tag: 'v', value: n, quality: 'good' } as const;
              isBroken = !sink.emit({ kind: 'readings', readings: [reading] }) || isBroken;
              isBroken = !sink.emit({ kind: 'observed', until: now() + 1 }) || isBroken;
            }
          }
          await clock.advance(4_000_000);
          await Promise.all([windows.closeAll(), clock.advance(500)]);
          await settle();
          const { voids, live } = await said(spool);
          expect(intersection(voids, live)).toEqual([]);
          await jobs.stop();
        },
      ),
      { numRuns: 150 },
    );
  });
});
