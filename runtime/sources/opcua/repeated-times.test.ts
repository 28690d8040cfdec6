import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../../kernel/errors.ts';
import { RepeatedTimes } from './repeated-times.ts';
import { every, readAll, readIn, serverWith, T, valuesAt } from './testing/history-judge.ts';

function make() {
  const clock = { passed: 0, monotonic: () => clock.passed };
  return { clock, times: new RepeatedTimes(clock) };
}

describe('times that came twice', () => {
  it('are none while clocks go on', () => {
    const { times } = make();
    for (const time of [1000, 1000, 5000]) times.note('a', time);
    times.note('b', 10);
    expect(times.around({ start: 0, end: 100_000 })).toBeUndefined();
    expect(times.count).toBe(0);
  });

  it('reach as far as the clock may have run before it was set, and since', () => {
    const { clock, times } = make();
    times.note('a', 100_000);
    clock.passed = 10_000;
    times.note('a', 50_000);
    expect(times.around({ start: 70_000, end: 70_001 })).toEqual({ start: 38_000, end: 112_000 });
    expect(times.around({ start: 112_000, end: 200_000 })).toBeUndefined();
    expect(times.count).toBe(1);
  });

  it('are one where they touch, and each alone where they do not', () => {
    const { times } = make();
    for (const time of [100_000, 50_000, 99_000, 40_000, 900_000, 800_000]) times.note('a', time);
    expect(times.around({ start: 60_000, end: 60_001 })).toEqual({ start: 38_000, end: 102_000 });
    expect(times.around({ start: 850_000, end: 850_001 })).toEqual({ start: 798_000, end: 902_000 });
    expect(times.around({ start: 60_000, end: 850_000 })).toEqual({ start: 38_000, end: 902_000 });
  });

  it('are known of a clock whose last time is known from the disk', () => {
    const { times } = make();
    times.begin('server', 100_000);
    times.note('server', 90_000);
    times.begin('server', 500_000);
    times.note('server', 91_000);
    expect(times.around({ start: 95_000, end: 95_001 })).toBeDefined();
    expect(times.around({ start: 400_000, end: 400_001 })).toBeUndefined();
  });

  it('are kept for the next process in one number, the last of them with what lies within a day', () => {
    const { clock, times } = make();
    const day = 86_400_000;
    const hour = 3_600_000;
    expect(times.kept).toBeUndefined();
    const back = (at: number, byMs: number) => {
      times.note('a', T + at);
      times.note('a', T + at - byMs);
    };
    // Values out of order are not kept.
    back(0, 1500);
    expect(times.kept).toBeUndefined();
    back(hour, hour);
    back(5 * hour, hour);
    clock.passed += 10 * day;
    const next = make().times;
    next.recall(times.kept!);
    expect(next.around({ start: T + 2 * hour, end: T + 2 * hour + 1 })).toMatchObject({
      start: T - 60_000,
      end: T + 5 * hour + 60_000,
    });
    expect(next.kept).toBe(times.kept);
    back(20 * day, hour);
    const last = make().times;
    last.recall(times.kept!);
    expect(last.around({ start: T + hour, end: T + 2 * hour })).toBeUndefined();
    expect(last.around({ start: T + 20 * day - hour, end: T + 20 * day })).toBeDefined();
    expect(Number.isSafeInteger(times.kept)).toBe(true);
  });

  it('are bounded in number', () => {
    const { times } = make();
    for (let at = 0; at < 1000; at++) {
      times.note('a', at * 100_000 + 50_000);
      times.note('a', at * 100_000 + 40_000);
    }
    expect(times.around({ start: 45_000, end: 45_001 })).toBeUndefined();
    expect(times.around({ start: 99_945_000, end: 99_945_001 })).toBeDefined();
  });
});

describe('history of times that came twice', () => {
  const range = { start: T + 5005, end: T + 5505 };
  /** Seen to go back from T + 6000 to T + 4500, so that all from T + 2500 on may have come twice. */
  const setBack = () => {
    const { times } = make();
    times.note('t0', T + 6000);
    times.note('t0', T + 4500);
    return times;
  };

  it('is read where the memory reaches back to before the first of them', async () => {
    const answered = await readAll(serverWith({}, every(10, 700)), range, 10, 1, { repeated: setBack() });
    expect(answered.until).toBe(range.end);
    expect(readIn(answered)).toHaveLength(50);
  });

  it('is asked for later where the memory holds only what may be of the second', async () => {
    const server = serverWith({}, every(10, 700), 300);
    const { pages, error } = await readAll(server, range, 10, 2, { repeated: setBack() });
    expect(pages).toEqual([]);
    expect((error as HoldfastError).message).toContain(
      'does not reach back to before the times that came twice',
    );
  });

  it('is asked for later also where a process before this one saw it', async () => {
    const server = serverWith({}, every(10, 700), 300);
    const before = make().times;
    before.note('t0', T + 6900);
    before.note('t0', T + 4500);
    const { times } = make();
    times.recall(before.kept!);
    const { pages } = await readAll(server, range, 10, 2, { repeated: times });
    expect(pages).toEqual([]);
  });

  it('is void once the memory holds nothing of them any more', async () => {
    const server = serverWith({}, every(10, 1200), 900);
    const { pages } = await readAll(server, range, 10, 1, { repeated: setBack() });
    expect(pages.map(({ kind, window }) => [kind, window])).toEqual([['unavailable', range]]);
  });

  it('is asked for later where the clock is set back while it is read', async () => {
    const server = serverWith({}, every(10, 700));
    const { times } = make();
    times.note('t0', T + 6990);
    const session = server.session.bind(server);
    server.session = () => {
      const inner = session();
      let asked = 0;
      return {
        ...inner,
        historyRead: (request) => {
          if (++asked === 3) times.note('t0', T + 5200);
          return inner.historyRead(request);
        },
      };
    };
    const { pages, error } = await readAll(server, range, 10, 1, { repeated: times });
    expect(pages).toEqual([]);
    expect((error as HoldfastError).message).toContain('a clock was set back while it was read');
  });
});

describe('an answer that is cut short without a word', () => {
  it('and was asked from further back than what is known of a node, is asked for again from there', async () => {
    // Three values at once, and one from outside: of the node that changes often, they end before what is known of it.
    const server = serverWith({ places: 'none', most: 3, bounds: 'values' }, every(10, 300));
    const { recorded } = serverWith({}, every(400, 8)).nodes.get('n=t0')!;
    server.nodes.set('n=t1', { kind: 'kept', recorded, gone: 0 });
    const answered = await readAll(server, { start: T + 1005, end: T + 1205 }, 10, 1);
    expect(answered.error).toBeUndefined();
    expect(answered.until).toBe(T + 1205);
  });

  it('amid values of one time, and together with other nodes from further back, is asked for again alone', async () => {
    const times = {
      t1: [700, 800, 1600, 2100, 2600, 2700, 2800, 2800, 3000, 3100, 3800, 3900, 4600, 5300, 5300, 5600],
      t2: [300, 1000, 1100, 1800, 2000, 2300, 2600, 3100, 3500, 4000, 4600, 4600, 5100, 5500, 5700],
    };
    const server = serverWith({ places: 'none', most: 3 }, []);
    server.nodes.clear();
    for (const [tag, recorded] of Object.entries(times))
      server.nodes.set(`n=${tag}`, { kind: 'kept', recorded: valuesAt(recorded), gone: 0 });
    server.nodes.set('n=t0', { kind: 'kept', recorded: valuesAt([100, 1500, 2400, 5400, 7500]), gone: 0 });
    const answered = await readAll(server, { start: T + 1788, end: T + 5401 }, 100, 1);
    expect(answered.error).toBeUndefined();
    expect(answered.until).toBe(T + 5401);
  });

  it('amid values of one time, and goes on with the last of them once more, shows them once', async () => {
    const times = [0, 100, 400, 400, 400, 500, 700, 900, 1000, 1000, 1100, 1400, 1700];
    for (const bounds of ['none', 'values'] as const)
      for (const start of [400, 436, 450]) {
        const server = serverWith({ places: 'offset', most: 3, seam: 'repeats', bounds }, times);
        const answered = await readAll(server, { start: T + start, end: T + 1500 }, 100, 3);
        expect([bounds, start, answered.error, answered.until]).toEqual([bounds, start, undefined, T + 1500]);
      }
  });
});
