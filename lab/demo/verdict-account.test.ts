import { describe, expect, it } from 'vitest';
import { type CloudMessage, createCloudCopy } from './cloud-copy.ts';
import { accountVerdicts } from './verdict-account.ts';
import { createVerdictLog } from './verdict-log.ts';

const rule = { windowMs: 10, bound: 30, tag: 't' };
const stream = 'rule:hot';
type Quality = 'good' | 'uncertain:input-missing';

/** The sensor shows 31 in the windows that end at 10 and 30, and 20 in that which ends at 20. */
const hot = (index: number) => (index <= 10 || index > 20 ? 31 : 20);

function world(last = 30) {
  const copy = createCloudCopy();
  const log = createVerdictLog(stream);
  const take = (
    batchId: string,
    [start, end]: readonly [number, number],
    readings: object[],
    arrived = 100,
    kind = 'batch',
  ) => {
    const message = {
      ...{ messageId: `${batchId};${start}-${end};${arrived}`, batchId, index: 'time', isBackfill: false },
      ...{ window: { start, end }, content: { kind, readings } },
    } as unknown as CloudMessage;
    copy.take(message);
    log.take(message, arrived);
  };
  const values = Array.from({ length: last }, (_, n) => ({
    index: n + 1,
    tag: 't',
    value: hot(n + 1),
    quality: 'good',
  }));
  take('sensor', [1, last + 1], values);
  return { copy, log, take };
}

const verdict = (at: number, last = at, quality: Quality = 'good') => [
  { index: at, tag: 'command', value: 'reset', quality },
  { index: at, tag: 'maxEventTime', value: new Date(last).toISOString().replace('Z', '0000Z'), quality },
];
const done = (at: number) => ({
  index: at,
  tag: 'action',
  value: { id: `rule:hot;${at};x`, outcome: 'done' },
  quality: 'good',
});
const reset = (at: number) => ({ id: `rule:hot;${at};x`, at });

function judge(
  { copy, log }: ReturnType<typeof world>,
  resets: readonly ReturnType<typeof reset>[],
  cut?: { from: number; to: number },
) {
  const streams = copy.streams();
  return accountVerdicts({
    rule,
    stream,
    sensor: streams.get('sensor'),
    copy: streams.get(stream),
    received: log,
    resets,
    cut,
  });
}

describe('the account of verdicts', () => {
  it('is good where each that is due is there once, and was carried out, however often it was sent', () => {
    const it = world();
    for (const arrived of [100, 101])
      it.take(stream, [0, 31], [...verdict(10), done(10), ...verdict(30), done(30)], arrived);
    const account = judge(it, [reset(10), reset(30), reset(30)]);
    expect(account).toMatchObject({
      verdicts: 2,
      missing: 0,
      doubled: 0,
      invented: 0,
      wrong: 0,
      problems: [],
    });
    expect(account).toMatchObject({ resets: 2, repeatedResets: 1 });
  });

  it.each<[string, ReturnType<typeof verdict>, object]>([
    ['is missing where the stream claims it', verdict(10), { missing: 1 }],
    ['follows from nothing', [...verdict(10), ...verdict(20), ...verdict(30)], { invented: 1 }],
    ['has no readings', [...verdict(10), ...verdict(30), ...verdict(70)], { invented: 1 }],
    ['names another last event', [...verdict(10, 9), ...verdict(30)], { wrong: 1 }],
  ])('finds one that %s', (_, readings, counts) => {
    const it = world();
    it.take(stream, [0, 71], readings);
    expect(judge(it, [])).toMatchObject({
      ...counts,
      problems: expect.arrayContaining([expect.any(String)]),
    });
  });

  it('finds one that stands in two windows, and one that calls whole what nobody saw in whole', () => {
    const it = world(25);
    it.take(stream, [0, 31], [...verdict(10), ...verdict(30, 25)]);
    it.take(stream, [10, 11], verdict(10), 100, 'late');
    expect(judge(it, [])).toMatchObject({ doubled: 1, wrong: 1, missing: 0 });
    const marked = world(25);
    marked.take(
      stream,
      [0, 31],
      [...verdict(10), done(10), ...verdict(30, 25, 'uncertain:input-missing'), done(30)],
    );
    expect(judge(marked, [reset(10), reset(30)]).problems).toEqual([]);
  });

  it('finds a reset that nobody decided, one that is said to be done and was not, and a verdict without an outcome', () => {
    const it = world();
    it.take(stream, [0, 31], [...verdict(10), done(10), ...verdict(30)]);
    const { problems } = judge(it, [reset(20)]);
    expect(problems).toEqual([
      'the reset rule:hot;20;x is of no verdict',
      'the reset rule:hot;10;x is said to be done, and was not',
      '1 verdicts have no outcome',
    ]);
  });

  it('shows what came before a cut, in a burst behind it, and afterwards', () => {
    const it = world();
    it.take(stream, [0, 11], [...verdict(10), done(10)], 12);
    it.take(stream, [11, 31], [...verdict(30), done(30)], 41);
    const { shown, resetsWhileCut } = judge(it, [reset(10), reset(30)], { from: 20, to: 40 });
    expect(shown).toEqual([
      { box: 'blue', maxEventTime: 10, arrived: 12 },
      { box: 'red', maxEventTime: 30, arrived: 41 },
    ]);
    expect(resetsWhileCut).toBe(1);
  });
});
