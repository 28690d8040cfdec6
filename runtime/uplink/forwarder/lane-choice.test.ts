import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LaneName, laneNames } from '../lanes.ts';
import { charge, chooseLane, defaultShares, emptyLedger, quantumBytes } from './lane-choice.ts';

type Waiting = Readonly<Record<LaneName, boolean>>;
const all: Waiting = { live: true, backlog: true, backfill: true };

/** Sends `rounds` messages with `waiting` lanes; returns the bytes that each lane got. */
function drain(waiting: Waiting, sizes: readonly number[], rounds: number): Record<LaneName, number> {
  const sent = { live: 0, backlog: 0, backfill: 0 };
  let ledger = emptyLedger;
  for (let i = 0; i < rounds; i++) {
    const lane = chooseLane(ledger, waiting)!;
    const bytes = sizes[i % sizes.length]!;
    sent[lane] += bytes;
    ledger = charge(ledger, defaultShares, lane, bytes, waiting);
  }
  return sent;
}

describe('lane choice', () => {
  test('live data goes first', () => {
    expect(chooseLane(emptyLedger, all)).toBe('live');
    expect(chooseLane(emptyLedger, { ...all, live: false })).toBe('backlog');
    expect(chooseLane(emptyLedger, { live: false, backlog: false, backfill: false })).toBeUndefined();
  });

  test('with live data without end, backlog and backfill get their shares', () => {
    const sent = drain(all, [4_000, 20_000, 200_000], 20_000);
    const total = sent.live + sent.backlog + sent.backfill;
    expect(sent.backlog / total).toBeCloseTo(defaultShares.backlog, 2);
    expect(sent.backfill / total).toBeCloseTo(defaultShares.backfill, 2);
  });

  test('without live data the others divide everything', () => {
    const sent = drain({ ...all, live: false }, [50_000], 10_000);
    const total = sent.backlog + sent.backfill;
    expect(sent.backlog / total).toBeCloseTo(2 / 3, 2);
  });

  test('whatever the sizes and whatever comes and goes, no lane that waits is starved', () => {
    const step = fc.record({
      bytes: fc.integer({ min: 1, max: 262_144 }),
      live: fc.boolean(),
      backfill: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 400 }), (steps) => {
        let ledger = emptyLedger;
        let total = 0;
        let backlog = 0;
        for (const { bytes, live, backfill } of steps) {
          // The backlog waits all the time; the others come and go as they like.
          const waiting = { live, backlog: true, backfill };
          const lane = chooseLane(ledger, waiting)!;
          expect(waiting[lane]).toBe(true);
          ledger = charge(ledger, defaultShares, lane, bytes, waiting);
          total += bytes;
          if (lane === 'backlog') backlog += bytes;
        }
        // Behind its share by no more than the quantum, one largest message, and what another lane was owed.
        const bound = 4 * quantumBytes + 2 * 262_144;
        expect(backlog).toBeGreaterThanOrEqual(defaultShares.backlog * total - bound);
      }),
    );
  });

  test('a lane that had nothing to send has saved up nothing', () => {
    let ledger = emptyLedger;
    for (let i = 0; i < 1_000; i++) {
      ledger = charge(ledger, defaultShares, 'live', 100_000, { ...all, backlog: false, backfill: false });
    }
    expect(chooseLane(ledger, all)).toBe('live');
    expect(laneNames).toContain('live');
  });
});
