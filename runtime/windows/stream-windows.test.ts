import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, normalise } from '../../wire/coverage.ts';
import type { Reading } from '../../wire/reading.ts';
import { Continuation } from '../sources/continuation.ts';
import type { SourceEvent } from '../sources/source.ts';
import { StreamWindows } from './stream-windows.ts';
import type { ClosedWindow } from './window-store.ts';
import type { StreamWindowsOptions } from './windows-api.ts';

const reading = (index: number, tag = 'level'): Reading => ({ index, tag, value: index, quality: 'good' });
const resumed = (at: number, continues?: Continuation): SourceEvent => ({
  kind: 'resumed',
  at,
  ...(continues && { continues }),
});
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
    index: 'time',
    isUnordered: false,
    start: { continuity: 'proven' },
    pace: 'own',
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

const atBegin = { now: 0, wall: 0 };

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

  it('leaves at least one position unclaimed, whatever the source says', () => {
    for (const at of [4, 5, 6]) {
      const events = [resumed(0), readings(1), observed(5), broken(5), resumed(at), readings(6), observed(9)];
      expect(play(events).shown).toEqual(['0-5[1]', '6-9[6]']);
    }
    // Also where the source does not say that it broke off, and across a restart.
    expect(play([resumed(0), observed(5), resumed(4), observed(9)]).shown).toEqual(['0-5[]', '6-9[]']);
    const start = { floor: 5, continuity: 'proven' } as const;
    expect(play([resumed(5), observed(9)], { start }).shown).toEqual(['6-9[]']);
  });

  it('keeps readings at the position that is left out, as late ones', () => {
    const events = [resumed(0), observed(5), broken(5), resumed(5), readings(5, 6), observed(7)];
    expect(play(events).shown).toEqual(['0-5[]', '6-7[6]', '~5-6[5]']);
  });

  it('is none where it is proven that nothing is missing', () => {
    const next = Continuation.nextNumber(7, 8);
    const events = [resumed(0), observed(5), broken(5), resumed(5, next), readings(6), observed(9)];
    expect(play(events).shown).toEqual(['0-5[]', '5-9[6]']);
    const start = { floor: 5, continuity: 'proven' } as const;
    expect(play([resumed(5, next), observed(9)], { start }).shown).toEqual(['5-9[]']);
  });

  it('is none around readings that went up late, where it is proven that nothing is missing among them', () => {
    const next = Continuation.nextNumber(7, 8);
    const before = [resumed(0), readings(3, 8, 9), observed(5), broken(5)];
    const after = [readings(11), observed(12)];
    const more = { isUnordered: true };
    expect(play([...before, resumed(5, next), ...after], more).shown).toEqual([
      '0-5[3]',
      '5-12[11]',
      '~8-10[8,9]',
    ]);
    expect(play([...before, resumed(5), ...after], more).shown).toEqual([
      '0-5[3]',
      '11-12[11]',
      '~8-10[8,9]',
    ]);
    // Also across a restart.
    const { windows } = play(before, more);
    const start = windows.known(atBegin);
    expect(start).toMatchObject({ continuity: 'proven', floor: 5, seen: 10 });
    expect(play([resumed(5, next), ...after], { ...more, start }).shown).toEqual(['5-12[11]']);
    expect(play([resumed(5), ...after], { ...more, start }).shown).toEqual(['11-12[11]']);
  });

  it('that is not claimed over yet is no end that a restart could go on from', () => {
    const { windows } = make({ isUnordered: true, start: { floor: 50, continuity: 'proven' } });
    windows.apply(resumed(60), 0);
    windows.apply(readings(61), 0);
    windows.apply({ kind: 'observed', until: 60, number: 8 }, 0);
    // Something was lost between 50 and 60, and message 9 does not know of it.
    expect(windows.fetch()).toMatchObject({ floor: 60, number: 8 });
  });

  it('is one all the same where the disk, or these windows, lost something', () => {
    const next = Continuation.nextNumber(7, 8);
    const start = { floor: 5, continuity: 'lost' } as const;
    const lost = make({ start }).windows;
    expect(lost.apply(resumed(5, next), 0)).toBe(false);
    expect(lost.apply(observed(9), 0)).toBe(false);
    // It has to begin with what it sees now, and only then may go on.
    expect(lost.apply(resumed(8), 0)).toBe(true);
    expect(lost.apply(observed(9), 0)).toBe(true);
    expect(lost.apply(broken(9), 0)).toBe(true);
    expect(lost.apply(resumed(9, next), 0)).toBe(true);
    const { windows } = make();
    windows.apply(resumed(0), 0);
    windows.apply(observed(5), 0);
    windows.loseContinuity();
    expect(windows.apply(resumed(5, next), 0)).toBe(false);
  });

  it('is put where an earlier process ended, when the disk turns out to have lost what that one claimed', () => {
    const next = Continuation.nextNumber(7, 8);
    const start = { floor: 5, continuity: 'proven' } as const;
    const { windows } = make({ start });
    windows.apply(resumed(5, next), 0);
    windows.apply(readings(6), 0);
    windows.apply(observed(9), 0);
    windows.loseDisk();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['~6-7[6]']);
    expect(windows.apply(resumed(9, next), 0)).toBe(false);
    // Its source did not know: what it said before it was told contradicts nothing.
    expect(windows.apply(observed(10), 0)).toBe(false);
    expect(windows.apply(readings(10), 0)).toBe(false);
    expect(windows.counts.violations).toBe(0);
    expect(windows.apply(resumed(11), 0)).toBe(true);
    windows.apply(broken(12), 0);
    expect(windows.apply(observed(13), 0)).toBe(false);
    expect(windows.counts.violations).toBe(1);
    // What this process began by itself is as good as before.
    const own = make({ start }).windows;
    own.apply(resumed(20), 0);
    own.apply(readings(21), 0);
    own.apply(observed(25), 0);
    own.loseDisk();
    expect(show(own.fetch()?.closed ?? [])).toEqual(['20-25[21]']);
  });

  it('opens a hole when the source starts again further on, without having said that it stopped', () => {
    expect(play([resumed(0), observed(5), resumed(7), observed(9)]).shown).toEqual(['0-5[]', '7-9[]']);
  });

  it('never lets a later window reach below an earlier one', () => {
    const events = [resumed(0), observed(10), broken(10), resumed(5), readings(7), observed(12)];
    const { shown } = play(events);
    expect(shown).toEqual(['0-10[]', '11-12[]', '~7-8[7]']);
  });

  it('keeps to the floor of an earlier run', () => {
    const start = { floor: 10, continuity: 'proven' } as const;
    expect(play([resumed(5), readings(6, 12), observed(20)], { start }).shown).toEqual([
      '11-20[12]',
      '~6-7[6]',
    ]);
  });
});

describe('late readings', () => {
  it('are those below what was observed; others join the window that is still open, in any order', () => {
    const { windows, violations } = make({ isUnordered: true, index: 'time' });
    windows.apply(resumed(0), 0);
    windows.apply(readings(8, 1), 8);
    windows.apply(readings(4), 8);
    windows.apply(observed(5), 8);
    windows.closeDue(10);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-5[1,4]']);
    windows.apply(readings(3, 6), 10);
    windows.apply(observed(10), 10);
    windows.apply(readings(7), 10);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['5-10[6,8]', '~3-4[3]', '~7-8[7]']);
    expect(violations).toEqual([]);
  });

  it('may come at any time, and say nothing of observation', () => {
    const { windows, violations } = make();
    const late = (...indexes: number[]): SourceEvent => ({
      kind: 'readings',
      readings: indexes.map((index) => reading(index)),
      isLate: true,
    });
    expect(windows.apply(late(3), 0)).toBe(true);
    windows.apply(resumed(10), 0);
    expect(windows.apply(late(20, 4), 0)).toBe(true);
    windows.apply(readings(12), 0);
    windows.apply(observed(13), 0);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['10-13[12]', '~3-5[3,4]', '~20-21[20]']);
    expect(violations).toEqual([]);
  });

  it('go up in windows of exactly their positions, whatever was claimed around them', () => {
    const { windows } = make({ isUnordered: true });
    windows.apply(resumed(0), 0);
    windows.apply(observed(49), 0);
    windows.closeNow(0);
    windows.apply(readings(40, 3, 7, 8), 1);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-49[]', '~3-4[3]', '~7-9[7,8]', '~40-41[40]']);
  });

  it('say nothing of what was dropped between them', () => {
    const { windows } = make({ isUnordered: true });
    windows.apply(resumed(100), 0);
    windows.apply(readings(50), 0);
    windows.drop(readings(120, 150), 0);
    windows.apply(resumed(100), 0);
    windows.apply(readings(160), 0);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['~50-51[50]']);
    windows.apply(observed(170), 0);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['152-170[160]']);
  });

  it('stand alone where a hole may lie between them', () => {
    const { windows } = make({ isUnordered: true });
    for (const event of [resumed(0), observed(10), broken(10), resumed(20), observed(30)])
      windows.apply(event, 0);
    windows.closeNow(0);
    windows.apply(readings(3, 7, 22, 25), 1);
    expect(show(windows.fetch()?.closed ?? []).slice(2)).toEqual([
      '~3-4[3]',
      '~7-8[7]',
      '~22-23[22]',
      '~25-26[25]',
    ]);
  });
});

describe('a source that breaks its rules', () => {
  it('going back in a stream that is in order is a break; the reading is kept', () => {
    const events = [resumed(0), readings(5, 3), resumed(7), readings(8), observed(9)];
    const { shown, violations } = play(events);
    expect(violations).toEqual(['reading-went-back']);
    expect(shown).toEqual(['0-5[]', '7-9[8]', '~3-4[3]', '~5-6[5]']);
  });

  it('taking back "observed" is a break', () => {
    const events = [resumed(0), observed(9), observed(4), resumed(12), readings(12), observed(13)];
    const { shown, violations } = play(events);
    expect(violations).toEqual(['observed-went-back']);
    expect(shown).toEqual(['0-9[]', '12-13[12]']);
  });

  it('speaking without having resumed is refused: its readings are kept, nothing is claimed', () => {
    const { windows, violations } = make();
    const told = [readings(3), observed(4), broken(4), observed(7)].map((event) => windows.apply(event, 0));
    expect(told).toEqual([false, false, true, false]);
    expect(violations).toEqual(['not-resumed', 'not-resumed', 'not-resumed']);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['~3-4[3]']);
  });

  it.each([Number.NaN, 1.5, 2 ** 53, Number.POSITIVE_INFINITY, '7' as unknown as number])(
    'naming %s as an index is a break, wherever it says so',
    (bad) => {
      for (const event of [resumed(bad), readings(bad), observed(bad), broken(bad)]) {
        const before = [resumed(0), readings(1), observed(2)];
        const { shown, violations } = play([...before, event, resumed(5), readings(5), observed(6)]);
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
    windows.drop(readings(5, 6), 0);
    // The source was told, and begins again; one of another tag shares the position of one that was dropped.
    windows.apply(resumed(6), 0);
    windows.apply(readings(6, 8), 0);
    windows.apply(observed(9), 0);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-5[]', '8-9[8]', '~6-7[6]']);
    expect(windows.counts.dropped).toBe(2);
  });

  it('end the open window before them, where readings come out of order', () => {
    const { windows } = make({ isUnordered: true });
    windows.apply(resumed(0), 0);
    windows.apply(readings(10, 180), 0);
    windows.apply(observed(100), 0);
    windows.drop(readings(120), 0);
    windows.apply(resumed(100), 0);
    windows.apply(observed(200), 0);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-100[10]', '182-200[]', '~180-181[180]']);
  });

  it('leave nothing claimed until the source begins again: a value that was dropped may have changed', () => {
    const { windows } = make();
    windows.apply(resumed(0), 0);
    windows.apply(observed(4001), 0);
    windows.drop(readings(4001), 0);
    expect(windows.apply(observed(600_001), 0)).toBe(false);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-4001[]']);
  });
});

describe('readings that cannot be claimed yet', () => {
  it('wait for as long as a quiet window takes, then go up late; what proves them claims them all the same', () => {
    const { windows } = make({ isUnordered: true });
    windows.apply(resumed(0), 0);
    windows.apply(readings(5), 0);
    expect(windows.fetch()?.append).toEqual({ start: 0, end: 0, readings: [reading(5)] });
    expect(windows.nextDue()).toBe(60);
    windows.closeDue(59);
    expect(windows.fetch()).toBeUndefined();
    windows.closeDue(60);
    const change = windows.fetch();
    expect(show(change?.closed ?? [])).toEqual(['~5-6[5]']);
    expect(change).toMatchObject({ restart: true, seen: 6 });
    expect(change).not.toHaveProperty('append');
    windows.apply(readings(9), 61);
    windows.apply(observed(8), 61);
    windows.closeDue(120);
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-8[]']);
  });

  it('take no more memory than a window does', () => {
    const { windows } = make({ isUnordered: true, maxReadings: 10 });
    windows.apply(resumed(0), 0);
    for (let n = 1; n < 100; n++) windows.apply(readings(n), 0);
    expect(windows.openReadings).toBeLessThan(10);
    expect(windows.fetch()!.closed.every(({ late }) => late)).toBe(true);
    windows.apply(observed(200), 0);
    windows.interrupt();
    expect(show(windows.fetch()?.closed ?? [])).toEqual(['0-200[91,92,93,94,95,96,97,98,99]']);
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
            at += step.by + 1;
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
      fc.property(fc.array(any, { maxLength: 40 }), fc.boolean(), (events, isUnordered) => {
        const { windows } = make({ isUnordered });
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

describe('a stream whose stamps jump', () => {
  const hour = 3_600_000;
  /** Plays events at their monotonic times, and shows all windows. */
  const playAt = (
    events: readonly (readonly [number, SourceEvent])[],
    more: Partial<StreamWindowsOptions> = {},
  ) => {
    const { windows, violations } = make({ pace: 'live', ageMs: 1e9, quietMs: 1e9, ...more });
    const told = events.map(([now, event]) => windows.apply(event, now));
    windows.interrupt();
    return { shown: show(windows.fetch()?.closed ?? []), violations, told };
  };
  const everySecond = (from: number, to: number, stamp: (now: number) => number) => {
    const events: (readonly [number, SourceEvent])[] = [];
    for (let now = from; now < to; now += 1000) events.push([now, observed(stamp(now) + 1)]);
    return events;
  };

  it('claims nothing of the time that was jumped over', () => {
    const { shown, violations, told } = playAt([
      [0, resumed(0)],
      ...everySecond(0, 5000, (now) => now),
      [5000, readings(5000 + hour)],
      [5000, observed(5001 + hour)],
    ]);
    expect(shown).toEqual(['0-4001[]', `~${5000 + hour}-${5001 + hour}[${5000 + hour}]`]);
    expect(violations).toEqual(['index-jumped', 'not-resumed']);
    expect(told.slice(-2)).toEqual([false, false]);
  });

  it('claims again what comes once the clock is right: the hours that it was ahead are not lost', () => {
    const ahead = 2 * hour;
    const { shown } = playAt([
      [0, resumed(0)],
      ...everySecond(0, 5000, (now) => now),
      [5000, observed(5001 + ahead)],
      [6000, resumed(6000 + ahead)],
      ...everySecond(6000, 10_000, (now) => now + ahead),
      [10_000, broken(9001 + ahead)],
      [10_000, resumed(10_000)],
      ...everySecond(10_000, 20_000, (now) => now),
    ]);
    expect(shown).toEqual(['0-4001[]', `${6000 + ahead}-${9001 + ahead}[]`, '10000-19001[]']);
  });

  it('passes by what it claimed while its clock was ahead, when that time comes', () => {
    const ahead = 2 * hour;
    const { windows } = make({ pace: 'live', ageMs: 1e9, quietMs: 1e9 });
    const say = (now: number, event: SourceEvent) => windows.apply(event, now);
    say(0, resumed(0));
    say(0, observed(1));
    say(1000, observed(1001 + ahead));
    say(1000, resumed(1000 + ahead));
    say(5000, observed(5001 + ahead));
    say(5000, broken(5001 + ahead));
    say(6000, resumed(6000));
    say(ahead + 900, observed(ahead + 901));
    say(ahead + 2000, readings(ahead + 2000));
    expect(say(ahead + 2000, observed(ahead + 2001))).toBe(false);
    say(ahead + 3000, resumed(ahead + 3000));
    say(ahead + 4000, readings(ahead + 4000));
    say(ahead + 9000, readings(ahead + 9000));
    say(ahead + 9000, observed(ahead + 9001));
    windows.interrupt();
    const shown = show(windows.fetch()?.closed ?? []);
    const live = shown.filter((window) => !window.startsWith('~'));
    expect(live).toEqual([
      '0-1[]',
      `${1000 + ahead}-${5001 + ahead}[]`,
      `6000-${1000 + ahead}[]`,
      // What was lost while it was put right may lie up to here.
      `${8002 + ahead}-${9001 + ahead}[${9000 + ahead}]`,
    ]);
    expect(shown.filter((window) => window.startsWith('~'))).toHaveLength(2);
  });

  it('believes delays, and clocks that are adjusted or run fast', () => {
    const { violations } = playAt([
      [0, resumed(-9000)],
      [0, observed(1)],
      // Held up for 20 s, and then all at once.
      [20_000, observed(1000)],
      [20_001, observed(20_001)],
      [21_000, observed(22_500)],
      ...everySecond(22_000, 200_000, (now) => Math.floor(now * 1.0005) + 1500),
    ]);
    expect(violations).toEqual([]);
  });

  it('leaps behind a break no further than its clock was known to stand before', () => {
    const leap = (ms: number) =>
      playAt([
        [0, resumed(0)],
        ...everySecond(0, 20_000, (now) => now),
        [20_000, broken(19_001)],
        // An old value, of when it was broken off.
        [21_000, resumed(19_001)],
        [22_000, observed(22_000 + ms)],
      ]).violations;
    expect(leap(0)).toEqual([]);
    expect(leap(1500)).toEqual([]);
    expect(leap(3500)).toEqual(['index-jumped']);
  });

  it('is not led ahead step by step', () => {
    const { violations } = playAt([
      [0, resumed(0)],
      ...everySecond(0, 20_000, (now) => Math.floor(now * 2.9)),
    ]);
    expect(violations[0]).toBe('index-jumped');
  });

  it('and are set back claim nothing of the hour that comes twice, nor of an outage in it', () => {
    const { shown } = playAt([
      [0, resumed(0)],
      ...everySecond(0, 3_600_000, (now) => now),
      [3_600_000, broken(3_599_001)],
      [3_600_000, resumed(-50)],
      [3_600_000, readings(-50)],
      [3_600_000, observed(-49)],
      // Samples from 250 to 3450 are lost; then some come again.
      [3_603_500, readings(3500, 3550)],
      [3_603_500, observed(3551)],
    ]);
    expect(shown).toEqual(['0-3599001[]', '~-50--49[-50]', '~3500-3501[3500]', '~3550-3551[3550]']);
  });

  it('of a queue that is empty comes no faster than time passes', () => {
    const start = 10 * hour;
    const queued = { isUnordered: true } as const;
    const run = (leapAt: number) => {
      const events = everySecond(0, leapAt, (now) => start + now);
      return playAt([[0, resumed(start)], ...events, [leapAt, observed(start + leapAt + 47_000)]], {
        ...queued,
        pace: { silenceMs: 60_000 },
      });
    };
    // It may still hold what was sent meanwhile.
    expect(run(3000).violations).toEqual([]);
    expect(run(20_000).violations).toEqual(['index-jumped']);
  });

  it('of a queue that stands still for a while comes as fast as it likes up to where it would be', () => {
    const queued = { pace: { silenceMs: 5000 }, isUnordered: true } as const;
    const drained = playAt(
      [
        [0, resumed(0)],
        ...everySecond(0, 20_000, (now) => now),
        [80_000, observed(21_000)],
        [80_001, observed(60_000)],
        [80_002, observed(80_000)],
        // Its session ended, and the next number proves that nothing is missing.
        [80_003, broken(80_000)],
        [500_000, resumed(80_000, Continuation.nextNumber(1, 2))],
        [500_000, observed(500_000)],
      ],
      queued,
    );
    expect(drained.violations).toEqual([]);
  });

  it("of a queue comes as fast as it likes, by its sender's longest silence from one message to the next", () => {
    const queued = { pace: { silenceMs: 5000 }, isUnordered: true } as const;
    const at = (n: number, index: number) => [n, observed(index)] as const;
    const drained = Array.from({ length: 2000 }, (_, n) => at(n, n * 5000));
    expect(playAt([[0, resumed(0)], ...drained], queued).violations).toEqual([]);
    // A clock that was set ahead looks like a sender that stood still: of neither anything was observed.
    expect(playAt([[0, resumed(0)], at(1, hour)], queued).violations).toEqual(['index-jumped']);
  });

  it('of a queue leaps, after a restart, as far as time has passed since its last claim', () => {
    const queued = { pace: { silenceMs: 5000 }, isUnordered: true } as const;
    const start = { continuity: 'proven', floor: 1000, number: 7 } as const;
    const leap = (ageMs: number | undefined, index: number) =>
      playAt(
        [
          [0, resumed(1000, Continuation.nextNumber(7, 8))],
          [0, observed(index)],
        ],
        { ...queued, start: ageMs === undefined ? start : { ...start, ageMs } },
      ).violations;
    expect(leap(hour, 1000 + hour)).toEqual([]);
    expect(leap(hour, 1000 + 2 * hour)).toEqual(['index-jumped']);
    expect(leap(undefined, 1000 + hour)).toEqual(['index-jumped']);
  });
});

describe('a stream that is ordered by record numbers', () => {
  const sequence = { index: 'sequence', pace: 'live' } as const;

  it('passes over no number without a break', () => {
    const { shown, violations } = play([resumed(5), readings(5, 6, 8)], sequence);
    expect(violations).toEqual(['index-jumped']);
    expect(shown).toEqual(['5-6[5]', '~6-7[6]', '~8-9[8]']);
    expect(play([resumed(5), readings(5), observed(6), observed(8)], sequence).shown).toEqual(['5-6[5]']);
    expect(play([resumed(5), readings(6)], sequence).shown).toEqual(['~6-7[6]']);
  });

  it('counts a record without news as observed', () => {
    const events = [resumed(5), readings(5), observed(6), observed(7), readings(7), observed(8)];
    expect(play(events, sequence).shown).toEqual(['5-8[5,7]']);
  });
});

describe('the number that equipment gives its samples', () => {
  it('goes into the commit with the readings that it stands for, and is known to the next source', () => {
    const { windows } = make({ start: { continuity: 'proven', number: 4 } });
    windows.apply(resumed(0), 0);
    windows.apply(readings(1), 0);
    windows.apply({ kind: 'observed', until: 2, number: 5 }, 0);
    expect(windows.fetch()?.number).toBe(5);
    windows.apply({ kind: 'observed', until: 3, number: 5 }, 0);
    expect(windows.fetch()).not.toHaveProperty('number');
    windows.interrupt();
    expect(windows.known(atBegin)).toMatchObject({ continuity: 'proven', floor: 3, number: 5 });
  });

  it('is known as what positions rest on, also where nothing of what came first was taken', () => {
    const { windows } = make({ index: 'sequence', pace: 'live' });
    windows.apply({ kind: 'resumed', at: 1053, mark: 0 }, 0);
    windows.drop(readings(1053), 0);
    expect(windows.fetch()).toMatchObject({ floor: 1054, number: 0 });
  });
});

describe('how long ago a stream had come to its end', () => {
  const start = { floor: 50, continuity: 'proven', ageMs: 1000, isAgeSure: false, setByMs: 0 } as const;

  it('is told as of now, with what our clock was set by since', () => {
    const { windows } = make({ start, opened: { now: 0, wall: 90_000 } });
    const at = { now: 3000, wall: 90_000 + 3000 + 500 };
    expect(windows.known(at)).toMatchObject({ floor: 50, ageMs: 4000, isAgeSure: false, setByMs: 500 });
  });

  it('begins anew with what is claimed since', () => {
    const { windows } = make({ start, opened: { now: 0, wall: 90_000 } });
    windows.apply(resumed(60), 2000);
    windows.apply(observed(70), 2100);
    windows.interrupt();
    expect(windows.known({ now: 3000, wall: 0 })).toEqual({
      continuity: 'proven',
      floor: 70,
      ageMs: 900,
      isAgeSure: true,
    });
    windows.apply(resumed(65), 3500);
    expect(windows.known({ now: 4000, wall: 0 }).ageMs).toBeLessThanOrEqual(1900);
  });
});

describe('where observation began', () => {
  it('is durable although nothing was ever claimed: a later process knows how far the clock had come', () => {
    const { windows } = make();
    windows.apply(resumed(60), 0);
    expect(windows.dirty()).toBe('progress');
    expect(windows.fetch()).toMatchObject({ closed: [], floor: 60 });
    expect(windows.fetch()).toBeUndefined();
  });
});
