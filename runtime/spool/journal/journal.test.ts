// What recovery makes of a journal of which records are missing: whatever came in whatever order.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Reading } from '../../../wire/reading.ts';
import { StreamWindows } from '../../windows/stream-windows.ts';
import { decodeJournal, encodeJournal, type JournalRecord, readTo, recoverWindows } from './journal.ts';

const reading = (index: number, value: number): Reading => ({ index, tag: 'v', value, quality: 'good' });

/** A journal as the spool keeps it: what a stream's windows hand over goes through bytes. */
class Journal {
  records: (JournalRecord | undefined)[] = [];
  #end = 0;
  #readTo = 0;

  take(windows: StreamWindows): void {
    const change = windows.fetch();
    if (change?.restart) this.records = [];
    const { append } = change ?? {};
    if (append === undefined) return;
    const goesOn = this.records.length > 0;
    const from = goesOn ? this.#end : append.start;
    const before = goesOn ? this.#readTo : append.start;
    for (const payload of encodeJournal('time', { ...append, from, readTo: before }))
      this.records.push(decodeJournal('time', Buffer.from(payload)));
    this.#end = append.end;
    this.#readTo = readTo(before, append.readings);
  }
}

function streamWindows(isUnordered: boolean): StreamWindows {
  return new StreamWindows({
    batchId: 'a',
    index: 'time',
    isUnordered,
    start: { continuity: 'proven' },
    pace: 'own',
    ageMs: 1e9,
    quietMs: 1e9,
    maxBytes: 1e9,
    maxReadings: 1e9,
    onViolation: (what) => expect.fail(what),
    onRefused: () => {},
  });
}

const showed = (records: readonly (JournalRecord | undefined)[]) =>
  recoverWindows(records).map(({ window: { start, end }, readings, late }) => {
    return `${late ? '~' : ''}${start}-${end}[${readings.map(({ index }) => index).join()}]`;
  });

describe('a journal of readings that come out of order', () => {
  const journal = () => {
    const windows = streamWindows(true);
    const kept = new Journal();
    windows.apply({ kind: 'resumed', at: 0 }, 0);
    // Messages up to 100, 150 and 190, which may be out of order by 20.
    for (const [until, ...indexes] of [
      [80, 100, 70, 60],
      [130, 90, 150],
      [170, 190, 140],
    ] as const) {
      windows.apply({ kind: 'readings', readings: indexes.map((index) => reading(index, index)) }, 0);
      windows.apply({ kind: 'observed', until }, 0);
      kept.take(windows);
    }
    return kept;
  };

  it('claims after a crash what was proven complete, and gives the rest back as late', () => {
    expect(showed(journal().records)).toEqual(['0-170[60,70,90,100,140,150]', '~190-191[190]']);
  });

  it('claims nothing that a damaged record in the middle may have held', () => {
    const { records } = journal();
    records[1] = undefined;
    expect(showed(records)).toEqual([
      '0-80[60,70]',
      '~100-101[100]',
      '151-170[]',
      '~140-141[140]',
      '~190-191[190]',
    ]);
  });

  it('claims nothing from the end before a damaged record on, where none follows', () => {
    const { records } = journal();
    records[2] = undefined;
    expect(showed(records)).toEqual(['0-130[60,70,90,100]', '~150-151[150]']);
  });
});

describe('whatever comes, and whichever records are lost', () => {
  const step = fc.record({
    /** How far beyond what was observed readings lie. */
    readings: fc.array(fc.nat(40), { maxLength: 6 }),
    observed: fc.nat(30),
    isCommitted: fc.boolean(),
    isLost: fc.boolean(),
  });

  it('what is recovered claims no position of which a reading is gone', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.boolean(), (steps, isUnordered) => {
        const windows = streamWindows(isUnordered);
        const journal = new Journal();
        const taken: Reading[] = [];
        const lost = new Set<JournalRecord | undefined>();
        let until = 0;
        windows.apply({ kind: 'resumed', at: 0 }, 0);
        for (const { readings, observed, isCommitted, isLost } of steps) {
          const ahead = isUnordered ? readings : readings.toSorted((a, b) => a - b);
          const batch = ahead.map((by, n) => reading(until + by, taken.length + n));
          const last = isUnordered ? until : (batch.at(-1)?.index ?? until);
          windows.apply({ kind: 'readings', readings: batch }, 0);
          // A commit may come between the readings and what is observed with them.
          const commit = () => {
            const before = journal.records.length;
            journal.take(windows);
            if (isLost) for (const record of journal.records.slice(before)) lost.add(record);
          };
          taken.push(...batch);
          if (isCommitted) commit();
          until = Math.max(until, last) + (isUnordered ? observed : observed > 20 ? 1 : 0);
          windows.apply({ kind: 'observed', until }, 0);
          commit();
        }
        const left = journal.records.map((record) => (lost.has(record) ? undefined : record));
        const recovered = recoverWindows(left);
        for (const { window, readings, late } of recovered) {
          const inside = taken.filter(({ index }) => index >= window.start && index < window.end);
          if (!late)
            expect(readings.map(({ value }) => value).sort()).toEqual(
              inside.map(({ value }) => value).sort(),
            );
        }
        const values = recovered.flatMap(({ readings }) => readings.map(({ value }) => value));
        expect(new Set(values).size).toBe(values.length);
        if (lost.size === 0) expect(values.length).toBe(taken.length);
      }),
      { numRuns: 500 },
    );
  });
});
