import { describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { settle, VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { BackfillRequest } from '../../wire/methods.ts';
import type { Reading } from '../../wire/reading.ts';
import { CompletePage } from '../sources/history-page.ts';
import { createBackfillJobs } from './backfill-jobs.ts';
import type { BackfillJobs, Frontier, HistoryAnswer } from './backfill-jobs-api.ts';
import type { BackfillLimits } from './backfill-limits.ts';
import { remainingOf } from './job-ranges.ts';
import { FakeDisk, type FakeStoreOptions, fakeBackfillStore } from './testing/fake-backfill-store.ts';
import { fakeHistory } from './testing/fake-history.ts';

const origin = Date.UTC(2026, 0, 1);
const at = (offset: number) => origin + offset;
const window = (start: number, end: number) => ({ start: at(start), end: at(end) });
const reading = (offset: number): Reading => ({
  index: at(offset),
  tag: 't',
  value: offset,
  quality: 'good',
});
const readings = (start: number, end: number, step = 10) =>
  Array.from({ length: Math.ceil((end - start) / step) }, (_, i) => reading(start + i * step));

/** All of it was asked for, held and recorded, and there was nothing. */
const emptyPage = (range: { start: number; end: number }) =>
  CompletePage.of(range, [], {
    asked: range,
    ended: 'no-more',
    heldFrom: range.start,
    recordedTo: range.end,
  });

function request(start: number, end: number, requestId = 'r1', batchId = 'press'): BackfillRequest {
  const [startWindow, endWindow] = [String(at(start)), String(at(end))];
  return { kind: 'windows', requestId, batchId, startWindow, endWindow, derivedId: false };
}

interface BenchOptions extends FakeStoreOptions {
  readonly disk?: FakeDisk;
  readonly sources?: Parameters<typeof createBackfillJobs>[0]['sources'];
  readonly frontier?: () => Frontier;
  readonly limits?: Partial<BackfillLimits>;
  readonly queued?: () => number;
  readonly clock?: VirtualClock;
}

async function bench(options: BenchOptions = {}) {
  const clock = options.clock ?? new VirtualClock(at(1_000_000));
  const disk = options.disk ?? new FakeDisk();
  if (disk.streams.size === 0) disk.stream('press');
  const store = fakeBackfillStore(disk, options);
  const jobs = createBackfillJobs({
    store,
    sources: options.sources ?? (() => 'no-history'),
    frontier: async () => options.frontier?.() ?? { below: at(100_000), isLive: true },
    queued: options.queued ?? (() => 0),
    clock,
    random: seededRandom(1),
    limits: { archivePage: 4, ...options.limits },
    log: silentLog,
    metrics: noMetrics,
  });
  await jobs.start();
  return { clock, disk, store, jobs };
}

async function finished(jobs: BackfillJobs, clock: VirtualClock, requestId = 'r1', limitMs = 600_000) {
  for (let waited = 0; waited < limitMs; waited += 1_000) {
    if (jobs.get(requestId)?.state === 'done') break;
    await clock.advance(1_000);
  }
  return jobs.get(requestId);
}

describe('accepting', () => {
  test('a request is durable before it is accepted', async () => {
    const { jobs, disk } = await bench();
    const outcome = await jobs.request(request(0, 100));
    expect(outcome.kind).toBe('accepted');
    expect(disk.jobs.get('r1')?.range).toEqual(window(0, 100));
  });

  test('a request that the disk does not take is not accepted, and can be made again', async () => {
    const { jobs, disk } = await bench({ failing: { times: 1 } });
    await expect(jobs.request(request(0, 100))).rejects.toThrow('disk is full');
    expect(jobs.jobs()).toEqual([]);
    expect((await jobs.request(request(0, 100))).kind).toBe('accepted');
    expect(disk.jobs.size).toBe(1);
  });

  test('the same request id is one job, also when both requests come at once and after a restart', async () => {
    const { jobs, disk, clock } = await bench();
    const [first, second] = await Promise.all([jobs.request(request(0, 100)), jobs.request(request(0, 100))]);
    expect([first.kind, second.kind].sort()).toEqual(['accepted', 'known']);
    expect(disk.saves).toBeGreaterThan(0);
    await finished(jobs, clock);
    await jobs.stop();
    const again = await bench({ disk, clock });
    expect(await again.jobs.request(request(0, 100))).toMatchObject({
      kind: 'known',
      job: { state: 'done' },
    });
  });

  test('a finished job whose id was made from its range runs again when asked again', async () => {
    const { jobs, disk, clock } = await bench();
    const derived = { ...request(0, 100), derivedId: true };
    await jobs.request(derived);
    await finished(jobs, clock);
    const before = disk.queued.length;
    expect((await jobs.request(derived)).kind).toBe('accepted');
    await finished(jobs, clock);
    expect(disk.queued.length).toBeGreaterThanOrEqual(before);
  });

  test('an unknown stream, an impossible range, too many jobs and stopping are each told apart', async () => {
    const { jobs } = await bench({ sources: () => undefined, limits: { maxOpenJobs: 2 } });
    expect((await jobs.request(request(0, 100, 'x', 'nobody'))).kind).toBe('unknown-stream');
    expect(await jobs.request(request(100, 100, 'x'))).toMatchObject({
      kind: 'invalid',
      errors: [{ field: 'endWindow' }],
    });
    await jobs.request(request(0, 100, 'a'));
    await jobs.request(request(0, 100, 'b'));
    expect((await jobs.request(request(0, 100, 'c'))).kind).toBe('too-many');
    await jobs.stop();
    expect((await jobs.request(request(0, 100, 'd'))).kind).toBe('stopping');
  });

  test('many requests at once do not pass the bound of open jobs', async () => {
    const { jobs } = await bench({ sources: () => undefined, limits: { maxOpenJobs: 5 } });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => jobs.request(request(0, 9, `r${i}`))),
    );
    expect(outcomes.filter(({ kind }) => kind === 'accepted')).toHaveLength(5);
  });
});

describe('answering', () => {
  test('the archive is queued again as it was, and only what it lacks is read from the equipment', async () => {
    const disk = new FakeDisk();
    disk.stream('press');
    disk.keep('press', window(0, 100), readings(0, 100));
    disk.keep('press', window(200, 300), readings(200, 300));
    const history = fakeHistory({ readings: readings(0, 400), pageSize: 50 });
    const { jobs, clock } = await bench({ disk, sources: () => history });
    await jobs.request(request(0, 400));
    const job = await finished(jobs, clock);
    expect(job?.state).toBe('done');
    expect(history.asked[0]?.start).toBe(at(100));
    expect(history.asked.every(({ start }) => start < at(200) || start >= at(300))).toBe(true);
    expect(collected(disk)).toEqual(readings(0, 400).map(({ index }) => index));
    expect(job?.voids).toEqual([]);
  });

  test('a late window that lies over another one goes up with it', async () => {
    const disk = new FakeDisk();
    disk.stream('press');
    for (let i = 0; i < 10; i++) disk.keep('press', window(i * 100, i * 100 + 100), [reading(i * 100)]);
    disk.keepLate('press', window(355, 356), [reading(355)]);
    const { jobs, clock } = await bench({ disk });
    await jobs.request(request(0, 1_000));
    expect((await finished(jobs, clock))?.state).toBe('done');
    expect(disk.queued.filter(({ late }) => late !== undefined)).toHaveLength(1);
  });

  test('a late window is sent again, and answers for nothing: what it lies in is still looked for', async () => {
    const disk = new FakeDisk();
    disk.stream('press');
    disk.keepLate('press', window(50, 51), [reading(50)]);
    const { jobs, clock } = await bench({ disk, sources: () => 'no-history' });
    await jobs.request(request(0, 100));
    expect((await finished(jobs, clock))?.voids).toEqual([{ window: window(0, 100), reason: 'no-history' }]);
    expect(disk.queued.filter(({ late }) => late !== undefined)).toHaveLength(1);
  });

  test('late windows asked for by number go up again, and those that are gone are declared, by number', async () => {
    const disk = new FakeDisk();
    disk.stream('press');
    for (let n = 0; n < 8; n++) disk.keepLate('press', window(n, n + 1), [reading(n)]);
    // 3 and 6 are gone, 5 waits in a lane.
    for (const number of [3, 6]) {
      disk.stored.splice(
        disk.stored.findIndex(({ late }) => late?.number === number),
        1,
      );
    }
    disk.stored.find(({ late }) => late?.number === 5)!.state = 'queued';
    const { jobs, clock } = await bench({ disk });
    const late = { series: '00c0ffee', first: 2, last: 8 };
    const asked = { kind: 'late', requestId: 'r1', batchId: 'press', late, derivedId: false } as const;
    expect(await jobs.request(asked)).toMatchObject({ kind: 'accepted' });
    const job = await finished(jobs, clock);
    expect(job).toMatchObject({ state: 'done', lateSeries: '00c0ffee' });
    expect(disk.queued.map(({ late: sent }) => sent?.number)).toEqual([2, 4, 7, 8]);
    expect(disk.lateVoids).toEqual(
      [3, 6].map((number) => ({
        batchId: 'press',
        index: 'time',
        late: { series: '00c0ffee', first: number, last: number },
        reason: 'history-expired',
      })),
    );
  });

  test('late numbers of another count are gone; those that the present count never gave out are refused', async () => {
    const disk = new FakeDisk();
    disk.stream('press');
    disk.keepLate('press', window(0, 1), [reading(0)]);
    const { jobs, clock } = await bench({ disk });
    const ask = (requestId: string, series: string, last: number) =>
      jobs.request({
        kind: 'late',
        requestId,
        batchId: 'press',
        late: { series, first: 1, last },
        derivedId: false,
      });
    expect(await ask('r1', '00c0ffee', 2)).toMatchObject({
      kind: 'invalid',
      errors: [{ field: 'lateThrough' }],
    });
    expect(await ask('r2', '11111111', 2)).toMatchObject({ kind: 'accepted' });
    await finished(jobs, clock, 'r2');
    expect(disk.lateVoids).toMatchObject([{ late: { series: '11111111', first: 1, last: 2 } }]);
  });

  test('a cancelled job for late windows declares the rest by number', async () => {
    const disk = new FakeDisk();
    disk.stream('press');
    disk.keepLate('press', window(0, 1), [reading(0)]);
    const { jobs } = await bench({ disk, queued: () => 1000 });
    const late = { series: '00c0ffee', first: 1, last: 1 };
    await jobs.request({ kind: 'late', requestId: 'r1', batchId: 'press', late, derivedId: false });
    await jobs.cancel('r1', true);
    expect(disk.lateVoids).toEqual([{ batchId: 'press', index: 'time', late, reason: 'cancelled' }]);
  });

  test('a late window goes up once, however often the equipment is asked for the rest', async () => {
    const disk = new FakeDisk();
    disk.stream('press');
    disk.keepLate('press', window(50, 51), [reading(50)]);
    const { jobs, clock } = await bench({
      disk,
      sources: () => fakeHistory({ readings: [], pageSize: 10, recordedUntil: () => at(0) }),
    });
    await jobs.request(request(0, 100));
    await clock.advance(3_600_000);
    expect(disk.queued).toHaveLength(1);
  });

  test('windows in a lane and the window being filled are on their way: nothing is sent for them', async () => {
    const disk = new FakeDisk();
    disk.stream('press', 'time', window(200, 300));
    disk.keep('press', window(0, 200), readings(0, 200), 'queued');
    const { jobs, clock } = await bench({ disk });
    await jobs.request(request(0, 300));
    expect(await finished(jobs, clock)).toMatchObject({ state: 'done', voids: [] });
    expect(disk.queued).toEqual([]);
  });

  test('equipment without a memory makes the rest void at once', async () => {
    const { jobs, clock, disk } = await bench({ sources: () => 'no-history' });
    await jobs.request(request(0, 100));
    expect((await finished(jobs, clock))?.voids).toEqual([{ window: window(0, 100), reason: 'no-history' }]);
    expect(disk.queued).toMatchObject([{ window: window(0, 100), void: 'no-history', requestId: 'r1' }]);
  });

  test.each([
    ['its configuration says', 'no-history' as const],
    [
      'the equipment says',
      fakeHistory({
        readings: [],
        pageSize: 100,
        unavailable: [{ window: window(0, 100), reason: 'no-history' }],
      }),
    ],
  ])(
    'what the gateway removed unsent is evicted, declared or not, where %s that there is no history',
    async (_, source) => {
      const disk = new FakeDisk();
      disk.streams.set('press', { batchId: 'press', index: 'time', evicted: [window(20, 50)] });
      disk.keep('press', window(60, 70), [], 'archived', 'evicted');
      const { jobs, clock } = await bench({ disk, sources: () => source });
      await jobs.request(request(0, 100));
      expect((await finished(jobs, clock))?.voids).toEqual([
        { window: window(0, 20), reason: 'no-history' },
        { window: window(20, 50), reason: 'evicted' },
        { window: window(50, 60), reason: 'no-history' },
        { window: window(60, 70), reason: 'evicted' },
        { window: window(70, 100), reason: 'no-history' },
      ]);
      expect(disk.queued.filter(({ void: reason }) => reason === 'evicted')).toHaveLength(2);
    },
  );

  test('what the equipment has forgotten meanwhile is expired, although the gateway removed it', async () => {
    const disk = new FakeDisk();
    disk.streams.set('press', { batchId: 'press', index: 'time', evicted: [window(20, 50)] });
    const history = fakeHistory({
      readings: [],
      pageSize: 100,
      unavailable: [{ window: window(0, 100), reason: 'history-expired' }],
    });
    const { jobs, clock } = await bench({ disk, sources: () => history });
    await jobs.request(request(0, 100));
    expect((await finished(jobs, clock))?.voids).toEqual([
      { window: window(0, 100), reason: 'history-expired' },
    ]);
  });

  test('a stream whose source is missing for a moment, as in a reload, is not declared lost', async () => {
    const history = fakeHistory({ readings: readings(0, 100), pageSize: 100 });
    let present = false;
    const { jobs, clock, disk } = await bench({ sources: () => (present ? history : 'removed') });
    await jobs.request(request(0, 100));
    await clock.advance(3_000);
    expect(disk.queued).toEqual([]);
    present = true;
    expect((await finished(jobs, clock))?.voids).toEqual([]);
    expect(collected(disk)).toHaveLength(10);
  });

  test('a stream whose source is gone for good ends in a void', async () => {
    const { jobs, clock } = await bench({ sources: () => 'removed' });
    await jobs.request(request(0, 100));
    expect((await finished(jobs, clock))?.voids).toMatchObject([{ reason: 'no-history' }]);
  });

  test('a source that cannot be built blocks its jobs: nothing is declared lost, and they go on once it can', async () => {
    const history = fakeHistory({ readings: readings(0, 100), pageSize: 100 });
    let answer: HistoryAnswer;
    const { jobs, clock, disk } = await bench({ sources: () => answer });
    await jobs.request(request(0, 100));
    await clock.advance(3_600_000);
    expect(disk.queued).toEqual([]);
    expect(jobs.get('r1')?.state).toBe('accepted');
    answer = history;
    expect((await finished(jobs, clock))?.voids).toEqual([]);
    expect(collected(disk)).toHaveLength(10);
  });

  test('what makes no message is not answered: the job stays open, and says so', async () => {
    const refuses = { notEncoded: true };
    const history = fakeHistory({ readings: readings(0, 100), pageSize: 100 });
    const { jobs, clock, disk } = await bench({
      sources: () => history,
      ...refuses,
      limits: { giveUpMs: 100_000 },
    });
    await jobs.request(request(0, 100));
    await clock.advance(300_000);
    expect(jobs.get('r1')).toMatchObject({ state: 'cancelled', ended: 'no-progress', covered: [] });
    expect(disk.queued).toEqual([]);
  });

  test('what the equipment verifiably does not have is verified empty, what it cannot say is void', async () => {
    const disk = new FakeDisk();
    const history = fakeHistory({
      readings: readings(50, 60),
      pageSize: 1_000,
      unavailable: [{ window: window(0, 50), reason: 'history-expired' }],
    });
    const { jobs, clock } = await bench({ disk, sources: () => history });
    await jobs.request(request(0, 200));
    const job = await finished(jobs, clock);
    expect(job).toMatchObject({
      covered: [window(50, 200)],
      voids: [{ window: window(0, 50), reason: 'history-expired' }],
    });
    expect(disk.queued.map(({ void: reason, readings: { length } }) => [reason, length])).toEqual([
      ['history-expired', 0],
      [undefined, 1],
    ]);
  });

  test('unreachable equipment delays a job and ends it in nothing but data', async () => {
    const disk = new FakeDisk();
    const failing = { times: 6 };
    const history = fakeHistory({ readings: readings(0, 500), pageSize: 100, failing });
    const { jobs, clock } = await bench({ disk, sources: () => history });
    await jobs.request(request(0, 500));
    await clock.advance(2_000);
    expect(jobs.get('r1')?.state).not.toBe('done');
    expect(jobs.waiting('r1')).toBeTypeOf('string');
    expect((await finished(jobs, clock))?.voids).toEqual([]);
    expect(jobs.waiting('r1')).toBeUndefined();
    expect(collected(disk)).toHaveLength(50);
  });

  test('what the equipment has not recorded yet is asked for again later', async () => {
    let recorded = at(100);
    const history = fakeHistory({ readings: readings(0, 300), pageSize: 50, recordedUntil: () => recorded });
    const { jobs, clock, disk } = await bench({ sources: () => history });
    await jobs.request(request(0, 300));
    await clock.advance(10_000);
    expect(jobs.get('r1')).toMatchObject({ state: 'running', covered: [window(0, 100)] });
    recorded = at(300);
    expect((await finished(jobs, clock))?.state).toBe('done');
    expect(collected(disk)).toHaveLength(30);
  });

  test('a source whose pages leave a hole is not believed', async () => {
    const history = {
      async *read() {
        yield emptyPage(window(50, 100));
      },
    };
    const { jobs, clock, disk } = await bench({ sources: () => history });
    await jobs.request(request(0, 100));
    await clock.advance(5_000);
    expect(disk.queued).toEqual([]);
    expect(jobs.get('r1')?.state).toBe('accepted');
  });

  test('a source that hangs is given up and asked again', async () => {
    let calls = 0;
    const history = {
      async *read(range: { start: number; end: number }) {
        if (++calls === 1) await new Promise(() => {});
        yield emptyPage(range);
      },
    };
    const { jobs, clock } = await bench({ sources: () => history, limits: { pageTimeoutMs: 5_000 } });
    await jobs.request(request(0, 100));
    expect((await finished(jobs, clock))?.state).toBe('done');
    expect(calls).toBe(2);
  });

  test('sources that hang keep no other stream waiting', async () => {
    const disk = new FakeDisk();
    const hanging = Array.from({ length: 8 }, (_, n) => `hanging-${n}`);
    for (const stream of [...hanging, 'press']) disk.stream(stream);
    const forever = {
      read: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }),
    };
    const history = fakeHistory({ readings: readings(0, 100), pageSize: 50 });
    const { jobs, clock } = await bench({
      disk,
      sources: (stream) => (stream === 'press' ? history : forever),
    });
    for (const stream of hanging) await jobs.request(request(0, 100, stream, stream));
    await jobs.request(request(0, 100));
    // Two rounds of ten seconds, of four streams each.
    expect((await finished(jobs, clock, 'r1', 25_000))?.state).toBe('done');
    await jobs.stop();
  });

  test('nothing is queued while the lane is full', async () => {
    let queued = 32;
    const history = fakeHistory({ readings: readings(0, 500), pageSize: 100 });
    const { jobs, clock, disk } = await bench({ sources: () => history, queued: () => queued });
    await jobs.request(request(0, 500));
    await clock.advance(60_000);
    expect(disk.queued).toEqual([]);
    queued = 0;
    expect((await finished(jobs, clock))?.state).toBe('done');
  });

  test('two jobs that overlap read no part of the history twice', async () => {
    const history = fakeHistory({ readings: readings(0, 600), pageSize: 100 });
    const { jobs, clock, disk } = await bench({ sources: () => history });
    await Promise.all([jobs.request(request(0, 400, 'a')), jobs.request(request(200, 600, 'b'))]);
    await finished(jobs, clock, 'a');
    await finished(jobs, clock, 'b');
    expect(jobs.jobs().map(({ state }) => state)).toEqual(['done', 'done']);
    const starts = history.asked.map(({ start }) => start);
    expect(new Set(starts).size).toBe(starts.length);
    expect(collected(disk)).toHaveLength(60);
  });

  test('a job that waits for its equipment lets another one of its stream by', async () => {
    const disk = new FakeDisk();
    disk.stream('press');
    disk.keep('press', window(1_000, 1_100), readings(1_000, 1_100));
    const history = fakeHistory({ readings: [], pageSize: 100, failing: { times: 1e9 } });
    const { jobs, clock } = await bench({ disk, sources: () => history });
    await jobs.request(request(0, 100, 'blocked'));
    await jobs.request(request(1_000, 1_100, 'archived'));
    expect((await finished(jobs, clock, 'archived', 20_000))?.state).toBe('done');
    expect(jobs.get('blocked')?.state).toBe('accepted');
  });

  test('a job without any progress is given up without declaring anything lost', async () => {
    const history = fakeHistory({ readings: [], pageSize: 100, failing: { times: 1e9 } });
    const { jobs, clock, disk } = await bench({ sources: () => history, limits: { giveUpMs: 100_000 } });
    await jobs.request(request(0, 100));
    await clock.advance(300_000);
    expect(jobs.get('r1')?.state).toBe('cancelled');
    expect(disk.queued).toEqual([]);
  });

  test('a full disk delays a job and loses nothing of it', async () => {
    const failing = { times: 0 };
    const history = fakeHistory({ readings: readings(0, 300), pageSize: 100 });
    const { jobs, clock, disk } = await bench({ sources: () => history, failing });
    await jobs.request(request(0, 300));
    failing.times = 3;
    expect((await finished(jobs, clock))?.state).toBe('done');
    expect(collected(disk)).toHaveLength(30);
  });
});

describe('a range beyond the frontier', () => {
  const live = (end: number): Frontier => ({ below: at(end), isLive: true });

  test('is neither void nor asked for; what is below is answered, and the rest once it is settled', async () => {
    let frontier = live(50);
    const { jobs, clock, disk } = await bench({ frontier: () => frontier });
    await jobs.request(request(0, 100));
    await clock.advance(60_000);
    expect(disk.queued).toMatchObject([{ window: window(0, 50), void: 'no-history' }]);
    expect(jobs.get('r1')?.state).toBe('running');
    frontier = live(80);
    await clock.advance(120_000);
    expect(disk.queued).toMatchObject([{ window: window(0, 50) }, { window: window(50, 80) }]);
    frontier = live(150);
    expect((await finished(jobs, clock))?.voids).toEqual([{ window: window(0, 100), reason: 'no-history' }]);
  });

  test('is not asked of the equipment either, whatever that says of the future', async () => {
    const history = fakeHistory({ readings: readings(0, 200), pageSize: 1_000 });
    const { jobs, clock } = await bench({ sources: () => history, frontier: () => live(50) });
    await jobs.request(request(0, 100));
    await clock.advance(60_000);
    expect(history.asked).toEqual([window(0, 50)]);
    expect(jobs.get('r1')).toMatchObject({ state: 'running', covered: [window(0, 50)] });
  });

  test('is waited for so long, then the job ends and leaves it unanswered, also across a restart', async () => {
    const far = { frontier: () => live(50) };
    const first = await bench(far);
    await first.jobs.request(request(0, 9_000));
    await first.clock.advance(600_000);
    await first.jobs.stop();
    const { jobs, clock, disk } = await bench({ ...far, disk: first.disk, clock: first.clock });
    await clock.advance(299_000);
    expect(jobs.get('r1')?.state).toBe('running');
    await clock.advance(62_000);
    const job = jobs.get('r1')!;
    expect(job).toMatchObject({ state: 'cancelled', ended: 'beyond-observed' });
    expect(remainingOf(job)).toEqual([window(50, 9_000)]);
    expect(disk.queued).toHaveLength(1);
    // Its place is free again.
    expect((await jobs.request(request(0, 10, 'next'))).kind).toBe('accepted');
  });

  test('of a stream that ended is not waited for: nothing was ever observed there', async () => {
    const ended = { below: at(50), isLive: false };
    const { jobs, clock, disk } = await bench({ sources: () => 'removed', frontier: () => ended });
    await jobs.request(request(0, 100));
    await clock.advance(20_000);
    expect(jobs.get('r1')).toMatchObject({ state: 'cancelled', ended: 'beyond-observed' });
    expect(disk.queued).toMatchObject([{ window: window(0, 50), void: 'no-history' }]);
  });

  test('is nothing at all of a stream that was never observed', async () => {
    const { jobs, clock, disk } = await bench({ frontier: () => ({ below: undefined, isLive: true }) });
    await jobs.request(request(0, 100));
    await clock.advance(60_000);
    expect(disk.queued).toEqual([]);
    expect(jobs.get('r1')?.state).toBe('accepted');
  });

  test('is known only once the disk has what was claimed: until then the job waits, and can be cancelled', async () => {
    const { jobs, clock, disk } = await bench({ frontier: () => new Promise<never>(() => {}) as never });
    await jobs.request(request(0, 100));
    await clock.advance(60_000);
    expect(disk.queued).toEqual([]);
    await jobs.cancel('r1', false);
    expect(jobs.get('r1')).toMatchObject({ state: 'cancelled', ended: 'cancelled' });
  });
});

describe('cancelling', () => {
  test('declares nothing void that is on its way or not settled, whatever the caller asks for', async () => {
    const disk = new FakeDisk();
    disk.stream('press');
    const history = fakeHistory({ readings: [], pageSize: 100, failing: { times: 1e9 } });
    const { jobs, clock } = await bench({
      disk,
      sources: () => history,
      frontier: () => ({ below: at(80), isLive: true }),
      limits: { archivePage: 1 },
    });
    await jobs.request(request(0, 100));
    await clock.advance(1_000);
    // Queued since the job looked.
    disk.keep('press', window(10, 30), readings(10, 30), 'queued');
    disk.keep('press', window(10, 20), readings(10, 20), 'queued');
    disk.keep('press', window(40, 50), readings(40, 50), 'archived');
    const job = await jobs.cancel('r1', true);
    expect(job?.voids.map(({ window: lost }) => lost)).toEqual([window(0, 10), window(30, 80)]);
  });

  test('the rest becomes void only if the caller asks for it', async () => {
    for (const declareVoid of [false, true]) {
      const history = fakeHistory({ readings: [], pageSize: 100, failing: { times: 1e9 } });
      const { jobs, disk } = await bench({ sources: () => history });
      await jobs.request(request(0, 100));
      const job = await jobs.cancel('r1', declareVoid);
      expect(job?.state).toBe('cancelled');
      expect(disk.jobs.get('r1')?.state).toBe('cancelled');
      expect(disk.queued.map(({ void: reason }) => reason)).toEqual(declareVoid ? ['cancelled'] : []);
    }
  });

  test('a job that runs stops at its last step, and does not come back', async () => {
    const history = fakeHistory({ readings: readings(0, 10_000), pageSize: 10 });
    const disk = new FakeDisk();
    let room = 20;
    const queued = () => (disk.queued.length >= room ? 100 : 0);
    const { jobs, clock } = await bench({ disk, sources: () => history, queued });
    await jobs.request(request(0, 10_000));
    await clock.advance(5_000);
    expect(disk.queued).toHaveLength(20);
    const job = await jobs.cancel('r1', false);
    room = 1_000;
    await clock.advance(600_000);
    expect(disk.queued).toHaveLength(20);
    expect(remainingOf(job!)).not.toEqual([]);
  });

  test('a cancellation that the disk does not take is not true', async () => {
    const failing = { times: 0 };
    const history = fakeHistory({ readings: readings(0, 100), pageSize: 100, failing: { times: 1 } });
    const { jobs, clock } = await bench({ sources: () => history, failing });
    await jobs.request(request(0, 100));
    await settle();
    failing.times = 1;
    await expect(jobs.cancel('r1', true)).rejects.toThrow('disk is full');
    expect((await finished(jobs, clock))?.state).toBe('done');
  });

  test('an unknown job is undefined, a finished one stays as it is', async () => {
    const { jobs, clock } = await bench();
    expect(await jobs.cancel('nobody', true)).toBeUndefined();
    await jobs.request(request(0, 100));
    await finished(jobs, clock);
    expect((await jobs.cancel('r1', true))?.state).toBe('done');
  });
});

describe('keeping', () => {
  test('finished jobs are forgotten by age and by number, open ones never', async () => {
    const limits = { maxFinishedJobs: 3, keepFinishedMs: 3_600_000 };
    const { jobs, clock, disk } = await bench({ limits });
    for (let i = 0; i < 6; i++) {
      await jobs.request(request(i * 100, i * 100 + 100, `r${i}`));
      await finished(jobs, clock, `r${i}`);
    }
    expect(jobs.jobs().map(({ requestId }) => requestId)).toEqual(['r3', 'r4', 'r5']);
    await clock.advance(2 * 3_600_000);
    await jobs.request(request(900, 1_000, 'last'));
    await finished(jobs, clock, 'last');
    expect([...disk.jobs.keys()]).toEqual(['last']);
  });

  test('stopping ends what runs; the next start goes on where it stood', async () => {
    const history = fakeHistory({ readings: readings(0, 1_000), pageSize: 100 });
    let queued = 0;
    const first = await bench({ sources: () => history, queued: () => queued++ });
    await first.jobs.request(request(0, 1_000));
    await first.clock.advance(500);
    await first.jobs.stop();
    const second = await bench({ disk: first.disk, clock: first.clock, sources: () => history });
    expect((await finished(second.jobs, second.clock))?.state).toBe('done');
    expect(collected(first.disk)).toHaveLength(100);
  });
});

/** Distinct indexes of all readings that were queued, as offsets in order. */
function collected(disk: FakeDisk): number[] {
  return [...new Set(disk.queued.flatMap((queued) => queued.readings.map(({ index }) => index)))].sort(
    (a, b) => a - b,
  );
}
