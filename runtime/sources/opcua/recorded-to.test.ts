import { describe, expect, it } from 'vitest';
import { type Live, LiveValues } from './live-values.ts';
import { RepeatedTimes, serverClock } from './repeated-times.ts';
import { every, heardFor, readAll, readIn, serverWith, T, valuesAt } from './testing/history-judge.ts';
import type { HostileHistory } from './testing/hostile-history.ts';

const range = { start: T + 1000, end: T + 2000 };
const minute = 60_000;

/** A server that has written what was made at `times` and is not `unwritten` yet; by its clock it is `now`. */
function lateServer(times: readonly number[], unwritten: number, now: number) {
  const server = serverWith({}, times.slice(0, times.length - unwritten));
  server.now = T + now;
  return server;
}

/** Told up to `toldTo`, each value 50 ms after it was made; the first of these was held before. */
function told(times: readonly number[], toldTo: number, all = times): Live {
  const live = new LiveValues();
  const values = valuesAt(all);
  for (const time of times) live.take('t0', values[all.indexOf(time)]!, T + time + 50);
  live.tellTo(T + toldTo);
  return live;
}

const read = (server: HostileHistory, live: Live, options: object = {}) =>
  readAll(server, range, 10, 1, { live, settleMs: 10 * minute, ...options });

describe('a history that is written late', () => {
  const times = every(100, 50);

  it('answers a range once it shows a value from behind it, however late that is', async () => {
    // 5000 ms are over; of these it has written 3.
    const known = await read(lateServer(times, 20, 5000), told(times.slice(-3), 5000));
    expect(known.until).toBe(range.end);
    expect(readIn(known)).toHaveLength(10);
  });

  it('also where the server refuses to show one value of several', async () => {
    const server = serverWith({ places: 'refused' }, times);
    server.now = T + 5000;
    expect((await read(server, told(times.slice(-3), 5000))).until).toBe(range.end);
  });

  it('is not taken for empty where it lacks what came live: the same is asked later', async () => {
    const { pages, until, error } = await read(lateServer(times, 35, 5000), told(times.slice(-3), 5000));
    expect({ pages, until, error }).toEqual({ pages: [], until: range.start, error: undefined });
  });

  it('nor is anything of it void', async () => {
    const server = lateServer(times, 50, 5000);
    const { pages } = await read(server, told(times.slice(-3), 5000));
    expect(pages).toEqual([]);
  });

  it('is whole of a node that changed last within the range, once that value is there', async () => {
    const quiet = [0, 500, 1200, 1500];
    const missing = await read(lateServer(quiet, 1, 5000), told([1500], 5000, quiet));
    expect(missing.until).toBe(range.start);
    const there = await read(lateServer(quiet, 0, 5000), told([1500], 5000, quiet));
    expect(there.until).toBe(range.end);
  });

  it('of a node that holds since before the range what came live is empty there, whatever it has written', async () => {
    const { until, pages } = await read(lateServer([0, 500], 0, 5000), told([500], 5000, [0, 500]));
    expect(until).toBe(range.end);
    expect(pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []))).toEqual([]);
  });

  it('that leaves out values is waited for as long as the site says, and no longer', async () => {
    const live = told([1500], 5000, [0, 500, 1200, 1500]);
    const early = await read(lateServer([0, 500, 1200], 0, 5000), live);
    expect(early.until).toBe(range.start);
    const server = lateServer([0, 500, 1200], 0, 10 * minute + 2000);
    const later = await read(server, told([1500], 10 * minute + 2000, [0, 500, 1200, 1500]));
    expect(later.until).toBe(range.end);
  });

  it('is known up to what was told, and no further: before anything is, and of tags that are not watched, by the time alone', async () => {
    const { until } = await read(lateServer(times, 0, 5000), new LiveValues());
    expect(until).toBe(range.start);
    const unwatched = new LiveValues();
    unwatched.tellTo(T + 5000);
    expect((await read(lateServer(times, 0, 5000), unwatched)).until).toBe(range.start);
    expect((await read(lateServer(times, 0, 5000), unwatched, { settleMs: 3000 })).until).toBe(range.end);
  });

  it('is not known beyond where a clock stands that is slow', async () => {
    const values = valuesAt(times);
    const live = new LiveValues();
    // A minute behind the server, it has come to 1700.
    for (const time of [1600, 1700]) live.take('t0', values[times.indexOf(time)]!, T + time + minute);
    live.tellTo(T + minute + 1750);
    const { until } = await read(lateServer(times.slice(0, 18), 0, minute + 1760), live);
    expect(until).toBe(T + 1750);
  });

  it('is not known by values from behind the range where a clock came by it twice', async () => {
    const clock = { passed: 0, monotonic: () => clock.passed };
    const repeated = heardFor(clock, 10 * minute);
    repeated.note('t0', T + 4900);
    repeated.note('t0', T + 1200);
    const all = [...times, 1205];
    const { until } = await read(lateServer(times, 0, 5000), told([4900, 1205], 5000, all), { repeated });
    expect(until).toBe(range.start);
    // Behind all that came twice, they were written later.
    const before = every(100, 50).map((time) => time - 5000);
    const later = [...before, ...[...times, 1205].sort((x, y) => x - y), ...every(100, 120).slice(80)];
    const live = told([11_800, 11_900], 13_000, later);
    expect((await read(lateServer(later, 5, 13_000), live, { repeated })).until).toBe(range.end);
    expect((await read(lateServer(later, 45, 13_000), live, { repeated })).until).toBe(range.start);
  });

  it('has been waited for only as long as its clock was heard in this process: before, it may have leapt', async () => {
    const all = [0, 500, 1200, 1500];
    const now = 20 * minute;
    const clock = { passed: 0, monotonic: () => clock.passed };
    const repeated = new RepeatedTimes(clock);
    // The disk has it from the process before that the stream came to here.
    repeated.begin(serverClock, T + now - 30_000);
    clock.passed += 1000;
    repeated.note(serverClock, T + now);
    const server = lateServer([0, 500, 1200], 0, now);
    const live = told([1500], now, all);
    expect((await read(server, live, { repeated })).until).toBe(range.start);
    expect((await read(server, live, { repeated, settleMs: 0 })).until).toBe(range.end);
    clock.passed += 10 * minute;
    repeated.note(serverClock, T + now + 10 * minute);
    expect((await read(server, live, { repeated })).until).toBe(range.end);
  });

  it('of a clock that is slow is waited for from when its value was made', async () => {
    const values = valuesAt([0, 500, 1200, 1500]);
    const live = new LiveValues();
    // A minute behind the server.
    for (const [at, time] of [0, 500, 1200, 1500].entries()) live.take('t0', values[at]!, T + time + minute);
    for (const [now, expected] of [
      [10 * minute + 2000, range.start],
      [11 * minute + 2000, range.end],
    ] as const) {
      live.tellTo(T + now);
      expect((await read(lateServer([0, 500, 1200], 0, now), live)).until).toBe(expected);
    }
  });

  it('is not waited for less long because a clock leapt ahead', async () => {
    const all = [0, 500, 1200, 1500];
    for (const leaptMs of [0, 10 * minute]) {
      const clock = { passed: 0, monotonic: () => clock.passed };
      const repeated = new RepeatedTimes(clock);
      repeated.note(serverClock, T + 2000);
      clock.passed += 10 * minute - leaptMs + 500;
      repeated.note(serverClock, T + 10 * minute + 2500);
      const server = lateServer([0, 500, 1200], 0, 10 * minute + 2500);
      const { until } = await read(server, told([1500], 10 * minute + 2500, all), { repeated });
      expect(until).toBe(leaptMs === 0 ? range.end : range.start);
    }
  });
});
