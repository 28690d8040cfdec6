import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { noMetrics } from '../kernel/metrics.ts';
import { seededRandom } from '../kernel/random.ts';
import { VirtualClock } from '../kernel/testing/virtual-clock.ts';
import type { BackfillRequest } from '../wire/methods.ts';
import { createBackfillJobs } from './methods/backfill-jobs.ts';
import type { BackfillJobs, HistoryAnswer } from './methods/backfill-jobs-api.ts';
import { FakeDisk, fakeBackfillStore } from './methods/testing/fake-backfill-store.ts';
import { ruleHistory } from './rule-history.ts';
import { GonePage, type HistoryPage } from './sources/history-page.ts';
import type { SourceHistory } from './sources/source.ts';

const origin = Date.UTC(2026, 0, 1);
const window = (start: number, end: number) => ({ start: origin + start, end: origin + end });
const rule = 'rule:hot';

function request(batchId: string, start: number, end: number): BackfillRequest {
  const [startWindow, endWindow] = [String(origin + start), String(origin + end)];
  return { kind: 'windows', requestId: batchId, batchId, startWindow, endWindow, derivedId: false };
}

/** Equipment that answers nothing until it is told how. */
function equipment(): SourceHistory & { gone?: (range: ReturnType<typeof window>) => HistoryPage } {
  const self: ReturnType<typeof equipment> = {
    async *read(range) {
      if (self.gone) yield self.gone(range);
    },
  };
  return self;
}

async function bench(inputs: Readonly<Record<string, HistoryAnswer>>) {
  const clock = new VirtualClock(origin + 1_000_000);
  const disk = new FakeDisk();
  for (const batchId of [rule, ...Object.keys(inputs)]) disk.stream(batchId);
  const store = fakeBackfillStore(disk);
  const answer = (batchId: string) => inputs[batchId];
  const history: SourceHistory = ruleHistory({
    ...{ batchId: rule, inputs: Object.keys(inputs), answer, store, clock, jobs: () => jobs.jobs() },
  });
  const jobs: BackfillJobs = createBackfillJobs({
    ...{ store, clock, random: seededRandom(1), log: silentLog, metrics: noMetrics },
    sources: (batchId) => (batchId === rule ? history : answer(batchId)),
    frontier: async () => ({ below: origin + 100_000, isLive: true }),
    queued: () => 0,
  });
  await jobs.start();
  const voids = () =>
    jobs.get(rule)!.voids.map(({ window: { start, end }, reason }) => [start - origin, end - origin, reason]);
  const minutes = async (count: number) => {
    for (let n = 0; n < 60 * count; n++) await clock.advance(1000);
  };
  return { disk, jobs, voids, minutes };
}

describe('a hole of a stream of a rule', () => {
  it('is void for the reason for which its input is', async () => {
    const { disk, jobs, voids, minutes } = await bench({ press: equipment() });
    disk.keep('press', window(0, 100), [], 'archived', 'history-expired');
    disk.keep('press', window(100, 130), [], 'queued', 'source-refused');
    await jobs.request(request(rule, 20, 120));
    await minutes(1);
    expect(voids()).toEqual([
      [20, 100, 'history-expired'],
      [100, 120, 'source-refused'],
    ]);
  });

  it('waits for its input to be asked, whichever is asked first, and then has the reason of that', async () => {
    const press = equipment();
    const { jobs, voids, minutes } = await bench({ press });
    await jobs.request(request(rule, 20, 120));
    await minutes(1);
    expect(voids()).toEqual([]);
    expect(jobs.waiting(rule)).toBe('what it would follow from is asked for, too');
    await jobs.request(request('press', 0, 130));
    // For as long as the equipment is away.
    await minutes(60);
    expect(voids()).toEqual([]);
    press.gone = (range) => GonePage.of(range, { reason: 'history-expired', heldFrom: range.end });
    await minutes(10);
    expect(voids()).toEqual([[20, 120, 'history-expired']]);
  });

  it('is void although its input was had from the equipment: nothing decides again what is past', async () => {
    const { disk, jobs, voids, minutes } = await bench({ press: equipment() });
    disk.keep('press', window(0, 130), []);
    await jobs.request(request(rule, 20, 120));
    await minutes(1);
    expect(voids()).toEqual([[20, 120, 'no-history']]);
  });

  it('is void at once where nobody can be asked for its input', async () => {
    const { jobs, voids, minutes } = await bench({ meter: 'no-history', gone: 'removed' });
    await jobs.request(request(rule, 20, 120));
    await minutes(1);
    expect(voids()).toEqual([[20, 120, 'no-history']]);
  });

  it('is void after a while where nobody asks for its input: its archive is gone, as a rule', async () => {
    const { jobs, voids, minutes } = await bench({ press: equipment() });
    await jobs.request(request(rule, 20, 120));
    await minutes(4);
    expect(voids()).toEqual([]);
    await minutes(15);
    expect(voids()).toEqual([[20, 120, 'no-history']]);
  });

  it('takes the reason of any input, and that of a part for this part only', async () => {
    const { disk, jobs, voids, minutes } = await bench({ press: equipment(), meter: 'no-history' });
    disk.keep('press', window(0, 200), []);
    disk.keep('meter', window(50, 70), [], 'archived', 'evicted');
    await jobs.request(request(rule, 20, 120));
    await minutes(1);
    expect(voids()).toEqual([
      [20, 50, 'no-history'],
      [50, 70, 'evicted'],
      [70, 120, 'no-history'],
    ]);
  });
});

describe('a page of history that is gone since something else is', () => {
  it('lies within what was declared lost', () => {
    const declared = window(10, 20);
    const of = (page: ReturnType<typeof window>) =>
      GonePage.of(page, { reason: 'evicted', follows: 'press', declared });
    expect(of(window(12, 20)).reason).toBe('evicted');
    expect(() => of(window(12, 21))).toThrow('declared lost');
  });
});
