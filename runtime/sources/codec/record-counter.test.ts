import { describe, expect, it } from 'vitest';
import { type CounterOptions, type Placement, RecordCounter } from './record-counter.ts';

const options = { first: 1, last: 9999, maxJump: 100 };
const after = (
  last: number | undefined,
  numbers: readonly number[],
  more: CounterOptions = options,
): Placement[] => {
  const counter = new RecordCounter(more, last, 0);
  return numbers.map((number) => counter.place(number));
};
const placed = (position: number, more: object = {}) => ({ kind: 'placed', position, ...more });

describe('record numbers as positions', () => {
  it('are the numbers themselves, one by one, and a repetition is no new record', () => {
    expect(after(undefined, [17, 18, 18, 19])).toEqual([
      placed(17),
      placed(18),
      { kind: 'unchanged' },
      placed(19),
    ]);
  });

  it('tell of records that were missed', () => {
    expect(after(17, [19])).toEqual([placed(19, { broken: 'records-missed' })]);
  });

  it('go on without a hole where the counter starts again', () => {
    expect(after(9998, [9999, 1, 2])).toEqual([placed(9999), placed(10_000), placed(10_001)]);
    expect(after(65_535, [0, 1], { first: 0, last: 65_535, maxJump: 100 })).toEqual([
      placed(65_536),
      placed(65_537),
    ]);
    // Over the end, with some missed.
    expect(after(9990, [5])).toEqual([placed(10_004, { broken: 'records-missed' })]);
  });

  it('go on in the next round after a reset, once the next record bears it out', () => {
    expect(after(5000, [1, 2, 3])).toEqual([
      { kind: 'held' },
      placed(5102, { broken: 'counter-reset', confirmed: 5101 }),
      placed(5103),
    ]);
    // The same record again bears it out as well: an instrument that is asked repeats its newest.
    expect(after(5000, [1, 1, 2])).toEqual([
      { kind: 'held' },
      placed(5101, { broken: 'counter-reset' }),
      placed(5102),
    ]);
  });

  it('are not believed when they leap, until the next record bears it out', () => {
    expect(after(500, [8501, 502, 503])).toEqual([
      { kind: 'held' },
      placed(502, { broken: 'records-missed', dropped: true }),
      placed(503),
    ]);
    expect(after(500, [8000, 8001])).toEqual([
      { kind: 'held' },
      placed(8001, { broken: 'records-missed', confirmed: 8000 }),
    ]);
    expect(after(500, [8000, 300, 301])).toEqual([
      { kind: 'held' },
      { kind: 'held' },
      placed(901, { broken: 'counter-reset', confirmed: 900 }),
    ]);
  });

  it('are borne out also by one that follows a few later: the instrument is faster than it is asked', () => {
    expect(after(5000, [1, 6, 11])).toEqual([
      { kind: 'held' },
      placed(5106, { broken: 'counter-reset', confirmed: 5101, isApart: true }),
      placed(5111, { broken: 'records-missed' }),
    ]);
    expect(after(500, [8000, 8003])).toEqual([
      { kind: 'held' },
      placed(8003, { broken: 'records-missed', confirmed: 8000, isApart: true }),
    ]);
  });

  it('that went back are a reset where they come with a check sum, though the next could go on from before', () => {
    // The new round has already passed the old one's last number.
    expect(after(30, [2, 42, 43])).toEqual([
      { kind: 'held' },
      placed(42, { broken: 'records-missed', dropped: true }),
      placed(43),
    ]);
    const checked = { ...options, isChecked: true };
    expect(after(30, [2, 42, 43], checked)).toEqual([
      { kind: 'held' },
      placed(172, { broken: 'counter-reset', confirmed: 132, isApart: true }),
      placed(173),
    ]);
    // Read while it was written: the next goes on.
    expect(after(30, [2, 31], checked)).toEqual([{ kind: 'held' }, placed(31, { dropped: true })]);
  });

  it('give the newest record of a memory its position only where the counter cannot have started anew', () => {
    const counter = new RecordCounter(options, 5000, 0);
    expect(counter.positionOfNewest(5000)).toBe(5000);
    expect(counter.positionOfNewest(5007)).toBe(5007);
    expect(counter.positionOfNewest(4999)).toBeUndefined();
    expect(counter.positionOfNewest(4999, 1)).toBe(4999);
    expect(counter.positionOfNewest(4998, 1)).toBeUndefined();
    expect(counter.positionOfNewest(3)).toBeUndefined();
    counter.place(3);
    expect(counter.positionOfNewest(5000)).toBeUndefined();
    expect(new RecordCounter(options).positionOfNewest(3)).toBeUndefined();
  });

  it('begin a new round once the memory has shown that there is one', () => {
    const counter = new RecordCounter(options, 5000, 0);
    counter.startAnew();
    expect(counter.positionOfNewest(5010)).toBeUndefined();
    expect(counter.place(5010)).toEqual(placed(10_110, { broken: 'counter-reset' }));
    expect(counter.place(5011)).toEqual(placed(10_111));
    expect(counter.positionOfNewest(5011)).toBe(10_111);
  });

  it('leave out what a step may have for what was recorded before a reset, and what the new round had before', () => {
    const counter = new RecordCounter({ first: 0, last: 2 ** 32 - 1 }, 1_000_000, 0);
    counter.place(3);
    expect(counter.place(4)).toEqual(placed(1_010_005, { broken: 'counter-reset', confirmed: 1_010_004 }));
    expect(counter.roundStart).toBe(1_010_001);
    expect(counter.numberAt(1_010_001)).toBe(0);
    expect(counter.countedFrom).toBe(1_010_004);
  });

  it('are found again after a restart in a later round, from the last position and its mark', () => {
    const before = new RecordCounter(options, 5000, 0);
    for (const number of [7, 8, 9]) before.place(number);
    const counter = new RecordCounter(options, before.position, before.mark);
    expect(counter.roundStart).toBe(5101);
    expect(counter.numberAt(5109)).toBe(9);
    expect(counter.place(10)).toEqual(placed(5110));
    // Over the end, in the same round.
    const wrapped = new RecordCounter(options, 5100 + 9999, before.mark);
    expect(wrapped.place(1)).toEqual(placed(15_100));
    expect(wrapped.numberAt(5109)).toBe(9);
  });

  it('begin a new round after a restart where nobody knows which number the last position had', () => {
    const counter = new RecordCounter(options, 25_000);
    expect(counter.positionOfNewest(5003)).toBeUndefined();
    expect(counter.place(5003)).toEqual(placed(30_103, { broken: 'counter-reset' }));
    expect(counter.roundStart).toBe(25_101);
  });

  it('are found again after a restart, from the last position alone', () => {
    // Two rounds on.
    expect(after(25_000, [5003])).toEqual([placed(25_001)]);
    const counter = new RecordCounter(options, 25_000, 0);
    expect(counter.numberAt(25_000)).toBe(5002);
    expect(counter.positionFrom(25_000, 5001)).toBe(25_000 + 9998);
    expect(counter.positionNear(5001)).toBe(24_999);
    expect(counter.positionNear(5003)).toBe(25_001);
  });

  it('never repeat and never go back, whatever the instrument says', () => {
    let state = 1;
    const random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state / 2 ** 32;
    };
    for (let run = 0; run < 30; run++) {
      const counter = new RecordCounter({ first: 0, last: 99, maxJump: 20 });
      let last = Number.NEGATIVE_INFINITY;
      let number = 0;
      for (let turn = 0; turn < 200; turn++) {
        number = random() < 0.7 ? (number + 1) % 100 : Math.floor(random() * 100);
        const step = counter.place(number);
        if (step.kind !== 'placed') continue;
        if (step.confirmed !== undefined) expect(step.confirmed).toBeGreaterThan(last);
        expect(step.position).toBeGreaterThan(step.confirmed ?? last);
        expect(counter.numberAt(step.position)).toBe(number);
        last = step.position;
      }
    }
  });
});
