import { describe, expect, it } from 'vitest';
import { createCloudCopy } from '../demo/cloud-copy.ts';
import { createPromises, judgeStream } from './promises.ts';

const iso = (at: number) => new Date(at).toISOString();
const status = (start: number, end: number) => ({
  spool: { lanes: {} },
  streams: [{ batchId: 'press', lastWindow: [iso(start), iso(end)] as const }],
});
const sample = (at: number) => ({ at, values: { level: at } });
const truth = [10, 20, 30, 40].map(sample);

function copyOf(
  windows: readonly [start: number, end: number, readings: readonly [at: number, v: number][]][],
) {
  const copy = createCloudCopy();
  for (const [start, end, readings] of windows) {
    copy.take({
      messageId: `press/${start}-${end}`,
      batchId: 'press',
      index: 'time',
      window: { start, end },
      isBackfill: false,
      content: {
        kind: 'batch',
        count: readings.length,
        readings: readings.map(([at, v]) => ({
          index: at,
          tag: 'level',
          value: v,
          quality: 'good' as const,
        })),
      },
    });
  }
  return copy;
}

const whole = copyOf([
  [
    5,
    45,
    [
      [10, 10],
      [20, 20],
      [30, 30],
      [40, 40],
    ],
  ],
]);

describe('promises', () => {
  it('names each promised window, or part of one, that did not arrive', () => {
    const promises = createPromises();
    promises.note(status(5, 25));
    promises.note(status(25, 45));
    expect(promises.unkept(whole)).toEqual([]);
    const half = copyOf([[5, 25, []]]);
    expect(promises.unkept(half)).toEqual([`press ${iso(25)} to ${iso(45)}`]);
    expect(promises.unkept(half, 25)).toEqual([]);
    expect(promises.unkept(createCloudCopy())).toEqual([`press ${iso(5)} to ${iso(45)}`]);
  });
});

describe('the verdict', () => {
  const promised = [{ start: 5, end: 45 }];

  it('finds nothing wrong when all that was promised has come', () => {
    expect(judgeStream('press', promised, truth, whole)).toMatchObject({
      samplesMade: 4,
      samplesPromised: 4,
      readingsDelivered: 4,
      problems: [],
    });
  });

  it('does not count what no poll has seen', () => {
    const copy = copyOf([
      [
        5,
        35,
        [
          [10, 10],
          [20, 20],
          [30, 30],
        ],
      ],
    ]);
    expect(judgeStream('press', [{ start: 5, end: 35 }], truth, copy).problems).toEqual([]);
  });

  it('tells a lost sample, an invented one and a changed one', () => {
    const lost = copyOf([[5, 35, [[10, 10]]]]);
    expect(judgeStream('press', promised, truth, lost).problems.join()).toMatch(
      /3 promised samples are missing.*not in the window that claims them/,
    );
    const invented = copyOf([
      [
        5,
        45,
        [
          [10, 10],
          [15, 15],
          [20, 20],
          [30, 30],
          [40, 41],
        ],
      ],
    ]);
    expect(judgeStream('press', promised, truth, invented).problems).toEqual([
      'press: 1 readings are invented',
      'press: 1 readings are changed',
    ]);
  });

  it('takes no comfort from a module that has observed next to nothing', () => {
    expect(judgeStream('press', [], truth, whole).problems[0]).toBe(
      'press: only 0 of 0 samples were observed',
    );
    expect(judgeStream('press', [{ start: 5, end: 15 }], truth, whole).problems[0]).toBe(
      'press: only 1 of 4 samples were observed',
    );
  });
});
