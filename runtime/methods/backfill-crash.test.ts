// A process that dies at any save of any step, before or after it is durable, and starts again on the same disk: in the end
// the range is answered completely and correctly.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { normalise, subtract, union } from '../../wire/coverage.ts';
import type { Reading } from '../../wire/reading.ts';
import type { Window } from '../../wire/window.ts';
import { createBackfillJobs } from './backfill-jobs.ts';
import { FakeDisk, fakeBackfillStore } from './testing/fake-backfill-store.ts';
import { fakeHistory } from './testing/fake-history.ts';

const length = 400;

const windowArbitrary = fc
  .tuple(fc.integer({ min: 0, max: length - 1 }), fc.integer({ min: 1, max: 120 }))
  .map(([start, size]): Window => ({ start, end: Math.min(length, start + size) }));

const scenarioArbitrary = fc.record({
  archived: fc.array(windowArbitrary, { maxLength: 12 }),
  queued: fc.array(windowArbitrary, { maxLength: 3 }),
  late: fc.array(windowArbitrary, { maxLength: 3 }),
  gone: fc.option(windowArbitrary, { nil: undefined }),
  pageSize: fc.integer({ min: 7, max: 150 }),
  windowMs: fc.integer({ min: 5, max: 200 }),
  ranges: fc.array(windowArbitrary, { minLength: 1, maxLength: 3 }),
  deaths: fc.array(fc.record({ save: fc.integer({ min: 1, max: 6 }), durable: fc.boolean() }), {
    maxLength: 6,
  }),
  sourceFailures: fc.integer({ min: 0, max: 4 }),
});

type Scenario = typeof scenarioArbitrary extends fc.Arbitrary<infer T> ? T : never;

test('whatever it dies at, every reading goes up, nothing is invented, and only what is gone is void', async () => {
  await fc.assert(
    fc.asyncProperty(scenarioArbitrary, async (scenario) => {
      const { disk, truth } = await play(scenario);
      for (const [i, range] of scenario.ranges.entries()) {
        const requestId = `r${i}`;
        const job = disk.jobs.get(requestId)!;
        expect(job.state).toBe('done');
        expect(subtract([range], answeredBy(disk, scenario))).toEqual([]);
      }
      expectTruthful(disk, truth, scenario);
    }),
    { numRuns: 150 },
  );
});

async function play(scenario: Scenario) {
  const disk = new FakeDisk();
  disk.stream('press', 'sequence');
  const truth = Array.from({ length: length / 2 }, (_, i) => reading(i * 2));
  const within = (window: Window) => truth.filter(({ index }) => index >= window.start && index < window.end);
  // A late window holds a reading of its own, which no other window and no history has.
  for (const window of scenario.archived) disk.keep('press', window, within(window));
  for (const window of scenario.queued) disk.keep('press', window, within(window), 'queued');
  for (const [i, window] of scenario.late.entries()) disk.keepLate('press', window, [lateReading(window, i)]);
  const clock = new VirtualClock();
  const failing = { times: scenario.sourceFailures };
  for (const dieAt of [...scenario.deaths, undefined]) {
    const history = fakeHistory({
      readings: truth,
      pageSize: scenario.pageSize,
      failing,
      ...(scenario.gone ? { unavailable: [{ window: scenario.gone, reason: 'history-expired' }] } : {}),
    });
    const store = fakeBackfillStore(disk, dieAt ? { dieAt } : {});
    const jobs = createBackfillJobs({
      store,
      sources: () => history,
      frontier: async () => ({ below: length, isLive: true }),
      queued: () => 0,
      clock,
      random: seededRandom(7),
      limits: { archivePage: 3, windowMs: scenario.windowMs, windowBytes: 500 },
      log: silentLog,
      metrics: noMetrics,
    });
    await jobs.start();
    // A detector repeats what was not accepted; ids make that harmless.
    for (const [i, range] of scenario.ranges.entries()) {
      void jobs.request({
        kind: 'windows',
        requestId: `r${i}`,
        batchId: 'press',
        startWindow: String(range.start),
        endWindow: String(range.end),
        derivedId: false,
      });
    }
    await clock.advance(120_000);
    expect(store.dead || jobs.jobs().every(({ state }) => state === 'done')).toBe(true);
  }
  return { disk, truth };
}

function answeredBy(disk: FakeDisk, scenario: Scenario) {
  const claims = disk.queued.filter(({ late }) => late === undefined).map(({ window }) => window);
  return union(normalise(claims), normalise(scenario.queued));
}

function expectTruthful(disk: FakeDisk, truth: readonly Reading[], scenario: Scenario): void {
  const sent = new Set(disk.queued.flatMap(({ readings }) => readings.map((each) => JSON.stringify(each))));
  const asked = normalise(scenario.ranges);
  const gone = scenario.gone ? [scenario.gone] : [];
  for (const each of truth) {
    const isAsked = asked.some(({ start, end }) => each.index >= start && each.index < end);
    const isQueued = scenario.queued.some(({ start, end }) => each.index >= start && each.index < end);
    const isArchived = scenario.archived.some(({ start, end }) => each.index >= start && each.index < end);
    const isGone = gone.some(({ start, end }) => each.index >= start && each.index < end);
    if (isAsked && !isQueued && (isArchived || !isGone)) expect(sent).toContain(JSON.stringify(each));
  }
  for (const [i, window] of scenario.late.entries()) {
    const isAsked = asked.some(({ start, end }) => window.start < end && window.end > start);
    const isQueued = scenario.queued.some(({ start, end }) => window.start < end && window.end > start);
    if (isAsked && !isQueued) expect(sent).toContain(JSON.stringify(lateReading(window, i)));
  }
  const voids = disk.queued.filter(({ void: reason }) => reason !== undefined).map(({ window }) => window);
  expect(subtract(normalise(voids), gone)).toEqual([]);
}

function reading(index: number): Reading {
  return { index, tag: 't', value: index, quality: 'good' };
}

function lateReading(window: Window, i: number): Reading {
  return { index: window.start, tag: `late${i}`, value: i, quality: 'good' };
}
