import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, normalise } from '../../wire/coverage.ts';
import type { Reading } from '../../wire/reading.ts';
import type { SourceEvent } from '../sources/source.ts';
import { StreamWindows, type StreamWindowsOptions } from './stream-windows.ts';
import type { ClosedWindow } from './window-store.ts';

const reading = (index: number, tag = 'level'): Reading => ({ index, tag, value: index, quality: 'good' });
const resumed = (at: number): SourceEvent => ({ kind: 'resumed', at });
const observed = (until: number): SourceEvent => ({ kind: 'observed', until });
const broken = (at: number): SourceEvent => ({ kind: 'broken', at, reason: 'test' });
const readings = (...indexes: number[]): SourceEvent => ({
  kind: 'readings',
  readings: indexes.map((index) => reading(index)),
});

function make(more: Partial<StreamWindowsOptions> = {}) {
  const violations: string[] = [];
  const windows = new StreamWindows({
    batchId: 'a',
    index: 'sequence',
    lateness: 0,
    ageMs: 10,
    quietMs: 60,
    maxBytes: 10_000,
    maxReadings: 1000,
    onViolation: (what) => violations.push(what),
    onRefused: () => {},
    ...more,
  });
  return { windows, violations };
}

/** `start-end[indexes]`, with a `~` for late windows. */
const show = (closed: readonly ClosedWindow[]) =>
  closed.map(({ batch, late }) => {
    const { start, end } = batch.window;
    return `${late ? '~' : ''}${start}-${end}[${batch.readings.map(({ index }) => index).join()}]`;
  });

/** Plays events at monotonic time 0, ends the stream, and shows all windows. */
function play(events: readonly SourceEvent[], more: Partial<StreamWindowsOptions> = {}) {
  const { windows, violations } = make(more);
  for (const event of events) windows.apply(event, 0);
  windows.interrupt();
  return { shown: show(windows.fetch()?.closed ?? []), violations, windows };
}

describe('a window', () => {
  it('spans what was observed, with every reading in it', () => {
    const { shown } = play([resumed(0), readings(0, 0, 3), observed(5), readings(5), observed(6)]);
    expect(shown).toEqual(['0-6[0,0,3,5]']);
  });

  it('is written even when it is empty: observed, nothing happened', () => {
    expect(play([resumed(0), observed(9)]).shown).toEqual(['0-9[]']);
  });

  it('is not written when nothing was observed', () => {
    const { shown } = play([resumed(5)]);
    expect(shown).toEqual([]);
  });

  it('closes by age where observation reaches, and the next one touches it', () => {
    const { windows } = make();
    windows.apply(resumed(0), 0);
    windows.apply(readings(1), 0);
    windows.apply(observed(4), 0);
    windows.closeDue(9);
    expect(windows.fetch()?.closed).toEqual([]);
    windows.closeDue(10);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-4[1]']);
    windows.apply(observed(7), 11);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['4-7[]']);
  });

  it('grows while it is quiet, and closes at the next chance once there are readings', () => {
    const { windows } = make();
    windows.apply(resumed(0), 0);
    windows.apply(observed(30), 30);
    windows.closeDue(30);
    expect(windows.open).toEqual({ start: 0, end: 30 });
    expect(windows.nextDue()).toBe(60);
    windows.apply(readings(31), 31);
    windows.apply(observed(32), 31);
    windows.closeDue(31);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-32[31]']);
    windows.apply(observed(100), 100);
    windows.closeDue(100);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['32-100[]']);
  });

  it('never splits readings of one index: those at the end go into the next', () => {
    const { windows } = make();
    windows.apply(resumed(0), 0);
    windows.apply(readings(0, 1, 2), 0);
    windows.closeDue(10);
    windows.apply(readings(2, 2, 3), 10);
    windows.apply(observed(4), 10);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-2[0,1]', '2-4[2,2,2,3]']);
  });

  it('closes by size and by count', () => {
    const many = Array.from({ length: 500 }, (_, n) => n);
    const bySize = play([resumed(0), ...many.map((n) => readings(n)), observed(500)]);
    expect(bySize.shown.length).toBeGreaterThan(2);
    const byCount = play([resumed(0), ...many.map((n) => readings(n)), observed(500)], {
      maxReadings: 100,
      maxBytes: 1e9,
    });
    expect(byCount.shown.length).toBeGreaterThanOrEqual(5);
  });

  it('learns from the encoded size how many readings fit', () => {
    const count = (learned: boolean) => {
      const { windows } = make({ maxReadings: 1e9 });
      if (learned) for (let n = 0; n < 30; n++) windows.learn(10_000, 1000);
      windows.apply(resumed(0), 0);
      for (let n = 0; n < 2000; n++) windows.apply(readings(n), 0);
      return windows.fetch()!.closed.length;
    };
    expect(count(true)).toBeLessThan(count(false) / 5);
  });
});

describe('a break', () => {
  it('ends the window where all is known, and the next begins where observation resumes', () => {
    const events = [resumed(0), readings(1), observed(3), broken(5), resumed(8), readings(9), observed(10)];
    expect(play(events).shown).toEqual(['0-5[1]', '8-10[9]']);
  });

  it('sends readings beyond it as windows of exactly their positions', () => {
    const events = [resumed(0), readings(1, 5, 6, 9), broken(5), resumed(20), observed(30)];
    expect(play(events).shown).toEqual(['0-5[1]', '20-30[]', '~5-7[5,6]', '~9-10[9]']);
  });

  it('leaves no hole when the source starts again within what was observed', () => {
    expect(play([resumed(0), observed(5), resumed(4), observed(9)]).shown).toEqual(['0-9[]']);
  });

  it('opens a hole when the source starts again further on, without having said that it stopped', () => {
    expect(play([resumed(0), observed(5), resumed(7), observed(9)]).shown).toEqual(['0-5[]', '7-9[]']);
  });

  it('never lets a later window reach below an earlier one', () => {
    const events = [resumed(0), observed(10), broken(10), resumed(5), readings(7), observed(12)];
    const { shown } = play(events);
    expect(shown).toEqual(['0-10[]', '10-12[]', '~7-8[7]']);
  });

  it('keeps to the floor of an earlier run', () => {
    expect(play([resumed(5), readings(6, 12), observed(20)], { floor: 10 }).shown).toEqual([
      '10-20[12]',
      '~6-7[6]',
    ]);
  });
});

describe('late readings', () => {
  it('within the lateness they join the window that is still open, in order', () => {
    const { windows, violations } = make({ lateness: 5, index: 'time' });
    windows.apply(resumed(0), 0);
    windows.apply(readings(1, 8), 8);
    windows.apply(observed(10), 8);
    windows.apply(readings(4), 8);
    windows.closeDue(10);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-5[1,4]']);
    windows.apply(readings(3), 10);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['5-10[8]', '~3-4[3]']);
    expect(violations).toEqual([]);
  });

  it('are not waited for once nothing new has come for as long', () => {
    const { windows } = make({ lateness: 5 });
    windows.apply(resumed(0), 0);
    windows.apply(readings(1, 3), 0);
    windows.apply(observed(4), 8);
    expect(windows.nextDue()).toBe(13);
    windows.closeDue(12);
    expect(windows.fetch()?.closed ?? []).toEqual([]);
    windows.closeDue(13);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-4[1,3]']);
    expect(windows.nextDue()).toBeUndefined();
  });

  it('share one window where all between them was claimed before', () => {
    const { windows } = make({ lateness: 1 });
    windows.apply(resumed(0), 0);
    windows.apply(observed(50), 0);
    windows.closeNow(0);
    windows.apply(readings(40, 3, 7), 1);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-49[]', '~3-41[3,7,40]']);
  });

  it('stand alone where a hole may lie between them', () => {
    const { windows } = make({ lateness: 1 });
    for (const event of [resumed(0), observed(10), broken(10), resumed(20), observed(30)])
      windows.apply(event, 0);
    windows.closeNow(0);
    windows.apply(readings(3, 7, 22, 25), 1);
    expect(show(windows.fetch()?.closed ?? []).slice(2)).toEqual(['~3-4[3]', '~7-8[7]', '~22-26[22,25]']);
  });
});

describe('a source that breaks its rules', () => {
  it('going back in a stream that is in order is a break; the reading is kept', () => {
    const { shown, violations } = play([resumed(0), readings(5, 3), readings(8), observed(9)]);
    expect(violations).toEqual(['reading-went-back']);
    expect(shown).toEqual(['0-5[3]', '8-9[8]', '~5-6[5]']);
  });

  it('taking back "observed" is a break', () => {
    const { shown, violations } = play([resumed(0), observed(9), observed(4), readings(12), observed(13)]);
    expect(violations).toEqual(['observed-went-back']);
    expect(shown).toEqual(['0-9[]', '12-13[12]']);
  });

  it('speaking without having resumed is counted, and its readings are kept', () => {
    const { shown, violations } = play([readings(3), observed(4), broken(4), observed(7), observed(9)]);
    expect(violations).toEqual(['not-resumed', 'not-resumed']);
    expect(shown).toEqual(['3-4[3]', '7-9[]']);
  });

  it.each([Number.NaN, 1.5, 2 ** 53, Number.POSITIVE_INFINITY, '7' as unknown as number])(
    'naming %s as an index is a break, wherever it says so',
    (bad) => {
      for (const event of [resumed(bad), readings(bad), observed(bad), broken(bad)]) {
        const { shown, violations } = play([
          resumed(0),
          readings(1),
          observed(2),
          event,
          readings(5),
          observed(6),
        ]);
        expect(violations[0]).toBe('bad-index');
        expect(shown).toEqual(['0-2[1]', '5-6[5]']);
      }
    },
  );

  it('sending what is no value is replaced by a marker that says so', () => {
    const { windows } = make();
    windows.apply(resumed(0), 0);
    const odd: Reading = { index: 1, tag: 'level', value: Number.NaN, quality: 'good' };
    const huge: Reading = { index: 2, tag: 'level', value: 'x'.repeat(300_000), quality: 'good' };
    windows.apply({ kind: 'readings', readings: [odd, huge, reading(3)] }, 0);
    windows.apply(observed(4), 0);
    windows.interrupt();
    const [closed] = windows.fetch()!.closed;
    expect(closed!.batch.readings.map(({ value, quality }) => [value, quality])).toEqual([
      [null, 'bad:not-encodable'],
      [null, 'bad:too-large'],
      [3, 'good'],
    ]);
    expect(windows.counts.refused).toBe(2);
  });
});

describe('events that had to be dropped', () => {
  it('leave a hole: nothing that they spoke of is claimed, nor what shares its index', () => {
    const { windows } = make();
    windows.apply(resumed(0), 0);
    windows.apply(observed(5), 0);
    windows.drop(readings(5, 6));
    windows.apply(readings(6, 7), 0);
    windows.apply(observed(9), 0);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-5[]', '7-9[7]']);
    expect(windows.counts.dropped).toBe(3);
  });
});

describe('the journal', () => {
  it('learns each reading once, and starts anew with what is left when a window closes', () => {
    const { windows } = make();
    windows.apply(resumed(0), 0);
    windows.apply(readings(0, 1), 0);
    expect(windows.fetch()).toMatchObject({
      restart: false,
      append: { start: 0, end: 1, readings: [{}, {}] },
    });
    expect(windows.fetch()).toBeUndefined();
    windows.apply(readings(2), 0);
    expect(windows.fetch()?.append).toEqual({ start: 0, end: 2, readings: [reading(2)] });
    windows.apply(observed(2), 0);
    expect(windows.dirty()).toBe('no');
    windows.apply(observed(3), 0);
    expect(windows.dirty()).toBe('progress');
    windows.apply(readings(4), 0);
    windows.closeNow(0);
    expect(windows.fetch()).toMatchObject({
      restart: true,
      floor: 4,
      closed: [{ batch: { window: { start: 0, end: 4 } } }],
      append: { start: 4, end: 4, readings: [reading(4)] },
    });
  });
});

describe('whatever a source does', () => {
  const event = fc.oneof(
    fc.nat(40).map((by) => ({ kind: 'readings', by }) as const),
    fc.nat(9).map((by) => ({ kind: 'observed', by }) as const),
    fc.nat(9).map((by) => ({ kind: 'break', by }) as const),
    fc.nat(12).map((by) => ({ kind: 'wait', by }) as const),
    fc.constant({ kind: 'fetch' } as const),
    fc.constant({ kind: 'memory' } as const),
  );

  it('its windows are true: disjoint, complete, never splitting an index, with holes just where it broke', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 80 }), (script) => {
        const { windows, violations } = make({ maxBytes: 1500 });
        const closed: ClosedWindow[] = [];
        const said: { index: number; value: number }[] = [];
        const seen: { start: number; end: number }[] = [];
        let at = 0;
        let now = 0;
        let runStart = 0;
        const emit = (given: SourceEvent) => windows.apply(given, now);
        emit(resumed(0));
        for (const step of script) {
          if (step.kind === 'readings') {
            // `by` readings that share positions by threes.
            const batch = Array.from({ length: step.by }, (_, n) => ({
              ...reading(at + Math.floor(n / 3)),
              value: said.length + n,
            }));
            said.push(...batch.map(({ index, value }) => ({ index, value })));
            at = batch.at(-1)?.index ?? at;
            emit({ kind: 'readings', readings: batch });
          } else if (step.kind === 'observed') {
            at += step.by + 1;
            emit(observed(at));
          } else if (step.kind === 'break') {
            emit(observed(at + 1));
            at++;
            emit(broken(at));
            if (at > runStart) seen.push({ start: runStart, end: at });
            at += step.by;
            runStart = at;
            emit(resumed(at));
          } else if (step.kind === 'wait') {
            now += step.by;
            windows.closeDue(now);
          } else if (step.kind === 'fetch') {
            closed.push(...(windows.fetch()?.closed ?? []));
          } else {
            windows.closeNow(now);
          }
        }
        emit(observed(at + 1));
        seen.push({ start: runStart, end: at + 1 });
        windows.interrupt();
        closed.push(...(windows.fetch()?.closed ?? []));

        expect(violations).toEqual([]);
        expect(closed.every(({ late }) => !late)).toBe(true);
        for (const [n, { batch }] of closed.entries()) {
          const { start, end } = batch.window;
          expect(end).toBeGreaterThan(start);
          if (n > 0) expect(start).toBeGreaterThanOrEqual(closed[n - 1]!.batch.window.end);
          const inside = said.filter(({ index }) => index >= start && index < end).map(({ value }) => value);
          expect(batch.readings.map(({ value }) => value)).toEqual(inside);
        }
        const claimed = normalise(closed.map(({ batch }) => batch.window));
        expect(claimed).toEqual(normalise(seen));
        for (const window of seen) expect(covers(claimed, window)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('arbitrary events never throw, never overlap and lose no reading', () => {
    const any = fc.oneof(
      fc.nat(50).map(resumed),
      fc.nat(50).map(observed),
      fc.nat(50).map(broken),
      fc.array(fc.nat(50), { maxLength: 5 }).map((indexes) => readings(...indexes)),
    );
    fc.assert(
      fc.property(fc.array(any, { maxLength: 40 }), fc.nat(5), (events, lateness) => {
        const { windows } = make({ lateness });
        const closed: ClosedWindow[] = [];
        let said = 0;
        for (const [n, given] of events.entries()) {
          windows.apply(given, n);
          if (given.kind === 'readings') said += given.readings.length;
          if (n % 7 === 0) windows.closeDue(n * 3);
          if (n % 5 === 0) closed.push(...(windows.fetch()?.closed ?? []));
        }
        windows.interrupt();
        closed.push(...(windows.fetch()?.closed ?? []));
        const live = closed.filter(({ late }) => !late).map(({ batch }) => batch.window);
        for (const [n, window] of live.entries()) {
          if (n > 0) expect(window.start).toBeGreaterThanOrEqual(live[n - 1]!.end);
        }
        expect(closed.reduce((sum, { batch }) => sum + batch.readings.length, 0)).toBe(said);
        for (const { batch } of closed) {
          for (const { index } of batch.readings) {
            expect(index).toBeGreaterThanOrEqual(batch.window.start);
            expect(index).toBeLessThan(batch.window.end);
          }
        }
        expect(windows.memoryBytes).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
