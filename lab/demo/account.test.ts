import { describe, expect, test } from 'vitest';
import type { Window } from '../../wire/window.ts';
import { accountPolled, accountStamped, type StreamAccount, total } from './account.ts';
import { type CloudMessage, createCloudCopy } from './cloud-copy.ts';
import { compareLedger, type LedgerStream } from './ledger-check.ts';
import type { TrueSample } from './true-sample.ts';

// A unit that makes a sample each 10 ms from 1000 on, with two tags: 20 samples, 40 readings.
const truth: TrueSample[] = Array.from({ length: 20 }, (_, i) => ({
  at: 1000 + i * 10,
  values: { number: i, temperature: 20 + i / 7 },
}));

function batch(start: number, end: number, samples: readonly TrueSample[] = truth): CloudMessage {
  const readings = samples
    .filter(({ at }) => at >= start && at < end)
    .flatMap(({ at, values }) =>
      Object.entries(values).map(([tag, value]) => ({ index: at, tag, value, quality: 'good' as const })),
    );
  return {
    messageId: `press/${start}-${end}`,
    batchId: 'press',
    index: 'time',
    window: { start, end },
    isBackfill: false,
    content: { kind: 'batch', readings, count: readings.length },
  };
}

const gone = (start: number, end: number): CloudMessage => ({
  ...batch(start, end, []),
  content: { kind: 'void', reason: 'no-history' },
});

function copyOf(messages: readonly CloudMessage[]) {
  const copy = createCloudCopy();
  for (const message of messages) copy.take(message);
  return copy.streams().get('press');
}

/** The message with one reading altered, or dropped where `alter` gives undefined. */
function damaged(
  message: CloudMessage,
  index: number,
  alter: (value: unknown) => number | undefined,
  tag = 'temperature',
): CloudMessage {
  if (message.content.kind !== 'batch') throw new Error('no readings');
  const readings = message.content.readings.flatMap((reading) => {
    if (reading.index !== index || reading.tag !== tag) return [reading];
    const value = alter(reading.value);
    return value === undefined ? [] : [{ ...reading, value }];
  });
  return { ...message, content: { kind: 'batch', readings, count: readings.length } };
}

const counts = ({
  produced,
  delivered,
  duplicates,
  void: voids,
  missing,
  invented,
  changed,
}: StreamAccount) => ({
  produced,
  delivered,
  duplicates,
  void: voids,
  missing,
  invented,
  changed,
});
const clean = { produced: 40, delivered: 40, duplicates: 0, void: 0, missing: 0, invented: 0, changed: 0 };

describe('a unit that stamps its samples', () => {
  const stamped = (messages: readonly CloudMessage[], logReachesBackTo = 1000) =>
    accountStamped({ stream: 'press', truth, copy: copyOf(messages), logReachesBackTo });

  test('is accounted for when everything came, once', () => {
    const account = stamped([batch(1000, 1100), batch(1100, 1191)]);
    expect(counts(account)).toEqual(clean);
    expect(account).toMatchObject({
      span: { start: 1000, end: 1191 },
      openGaps: [],
      missingRanges: [],
      problems: [],
    });
  });

  test('does not count what was made before the first window', () => {
    const account = stamped([batch(1050, 1100), batch(1100, 1191)]);
    expect(counts(account)).toEqual({ ...clean, produced: 30, delivered: 30 });
  });

  test('misses a window that never came, and sees the gap', () => {
    const account = stamped([batch(1000, 1050), batch(1100, 1191)]);
    expect(counts(account)).toEqual({ ...clean, delivered: 30, missing: 10 });
    expect(account.openGaps).toEqual([{ start: 1050, end: 1100 }]);
    expect(account.missingRanges).toEqual([
      { window: { start: 1050, end: 1091 }, readings: 10, why: 'in a gap' },
    ]);
  });

  test('misses a tail that never came, though the cloud sees no gap', () => {
    const account = stamped([batch(1000, 1100), batch(1100, 1150)]);
    expect(counts(account)).toEqual({ ...clean, delivered: 30, missing: 10 });
    expect(account.openGaps).toEqual([]);
  });

  test('misses a reading that is not in the window that claims it', () => {
    const account = stamped([damaged(batch(1000, 1191), 1070, () => undefined)]);
    expect(counts(account)).toEqual({ ...clean, delivered: 39, missing: 1 });
    expect(account.missingRanges).toEqual([
      { window: { start: 1070, end: 1071 }, readings: 1, why: 'not in the window that claims them' },
    ]);
  });

  test('finds a changed value, down to the last bit', () => {
    const nudge = (value: unknown) => (value as number) * (1 + Number.EPSILON);
    const account = stamped([damaged(batch(1000, 1191), 1070, nudge)]);
    expect(counts(account)).toEqual({ ...clean, delivered: 39, changed: 1 });
  });

  test('finds a changed value beside the right one', () => {
    const account = stamped([batch(1000, 1191), damaged(batch(1000, 1191), 1070, () => -1)]);
    expect(counts(account)).toEqual({ ...clean, duplicates: 39, changed: 1 });
  });

  test('finds an invented index and an invented tag', () => {
    const samples = [
      ...truth,
      { at: 1075, values: { temperature: 21 } },
      { at: 1180, values: { pressure: 1 } },
    ];
    expect(counts(stamped([batch(1000, 1191, samples)]))).toEqual({ ...clean, invented: 2 });
  });

  test('recognises duplicates', () => {
    const account = stamped([batch(1000, 1100), batch(1100, 1191), batch(1050, 1120)]);
    expect(counts(account)).toEqual({ ...clean, duplicates: 14 });
  });

  test('accepts a void only for what the log no longer holds', () => {
    const messages = [batch(1000, 1050), gone(1050, 1100), batch(1100, 1191)];
    expect(counts(stamped(messages, 1100))).toEqual({ ...clean, delivered: 30, void: 10 });
    const account = stamped(messages, 1080);
    expect(counts(account)).toEqual({ ...clean, delivered: 30, void: 6, missing: 4 });
    expect(account.missingRanges[0]?.why).toBe('declared void though the device has them');
    expect(account.openGaps).toEqual([]);
  });

  test('counts what was delivered inside a void as delivered', () => {
    const account = stamped([batch(1000, 1191), gone(1050, 1100)]);
    expect(counts(account)).toEqual(clean);
  });

  test('is all missing when nothing came', () => {
    const account = stamped([]);
    expect(counts(account)).toEqual({ ...clean, delivered: 0, missing: 40 });
    expect(total([account], [], []).ok).toBe(false);
  });
});

describe('a unit that is only polled', () => {
  // Each answer arrives 3 ms after it was given, and is stamped then.
  const received = truth.map(({ at, values }) => ({ at: at + 3, values }));
  const arrived = (start: number, end: number) => batch(start, end, received);
  const polled = (messages: readonly CloudMessage[], shown = truth) =>
    accountPolled({ stream: 'press', shown, copy: copyOf(messages) });

  test('that answers several requests at once is accounted for once, unless it answered something else', () => {
    const messages = [arrived(1003, 1194)];
    const [first, ...rest] = truth;
    const again = { at: truth[5]!.at + 1, values: { ...truth[5]!.values } };
    const shown = [first!, ...rest.slice(0, 5), again, ...rest.slice(5)];
    expect(counts(polled(messages, shown))).toEqual(clean);
    const other = { at: again.at, values: { ...again.values, temperature: 99 } };
    expect(counts(polled(messages, [first!, ...rest.slice(0, 5), other, ...rest.slice(5)]))).toMatchObject({
      missing: 2,
    });
  });

  test('is accounted for when each answer came', () => {
    expect(counts(polled([arrived(1003, 1100), arrived(1100, 1194)]))).toEqual(clean);
  });

  test('may lose an answer inside a declared void', () => {
    const account = polled([arrived(1003, 1054), gone(1054, 1103), arrived(1103, 1194)]);
    expect(counts(account)).toEqual({ ...clean, delivered: 32, void: 8 });
    expect(account.openGaps).toEqual([]);
    expect(account.voids).toEqual([{ start: 1054, end: 1103 }]);
  });

  test('misses an answer in a gap', () => {
    const account = polled([arrived(1003, 1054), arrived(1103, 1194)]);
    expect(counts(account)).toEqual({ ...clean, delivered: 32, missing: 8 });
    expect(account.openGaps).toEqual([{ start: 1054, end: 1103 }]);
  });

  test('misses an answer that is not in the window that claims its time', () => {
    const without = received.filter(({ at }) => at !== 1073);
    const account = polled([batch(1003, 1194, without)]);
    expect(counts(account)).toEqual({ ...clean, delivered: 38, missing: 2 });
  });

  test('finds readings that were never shown', () => {
    const extra = [...received, { at: 1085, values: { number: 99, temperature: 0 } }];
    const samples = extra.sort((a, b) => a.at - b.at);
    expect(counts(polled([batch(1003, 1194, samples)]))).toEqual({ ...clean, invented: 2 });
  });

  test('finds readings that were shown at another time', () => {
    const late = received.map((sample) => (sample.at === 1183 ? { ...sample, at: 9000 } : sample));
    const account = polled([batch(1003, 9001, late)]);
    expect(counts(account)).toEqual({ ...clean, delivered: 38, missing: 2, invented: 2 });
  });

  test('finds a changed value', () => {
    const account = polled([damaged(arrived(1003, 1194), 1073, () => 3)]);
    expect(counts(account)).toEqual({ ...clean, delivered: 39, changed: 1 });
  });

  test('takes the same values shown twice as two answers', () => {
    const same = truth.map(({ at }) => ({ at, values: { number: 1, temperature: 5 } }));
    const both = same.map(({ at, values }) => ({ at: at + 3, values }));
    expect(counts(polled([batch(1003, 1194, both)], same))).toEqual(clean);
    const one = both.filter(({ at }) => at !== 1073);
    expect(counts(polled([batch(1003, 1194, one)], same))).toEqual({ ...clean, delivered: 38, missing: 2 });
  });

  test('does not count answers given before the first window or after the last', () => {
    const account = polled([arrived(1053, 1104)]);
    expect(counts(account)).toEqual({ ...clean, produced: 12, delivered: 12 });
  });
});

describe('the ledger', () => {
  const copy = copyOf([batch(1000, 1050), gone(1050, 1100), batch(1100, 1191)])!;
  const right: LedgerStream = {
    batchId: 'press',
    covered: [
      { start: 1100, end: 1191 },
      { start: 1000, end: 1050 },
    ],
    voids: [{ start: 1050, end: 1100 }],
    gaps: [],
    openRequests: 0,
    gapsFound: 1,
    gapsClosed: 1,
  };
  const window = (start: number, end: number): Window => ({ start, end });

  test('agrees with the messages', () => {
    expect(compareLedger(right, copy)).toEqual([]);
  });

  test.each<[string, Partial<LedgerStream>, RegExp]>([
    ['claims too much', { covered: [window(1000, 1191)] }, /covered what was never received.*1050-1100/],
    ['forgets a window', { covered: [window(1000, 1050)] }, /not covered what was received.*1100-1191/],
    ['invents a void', { voids: [window(1040, 1100)] }, /void what was never declared/],
    ['lacks a void', { voids: [] }, /lacks declared voids/],
    ['has an open gap', { gaps: [window(1060, 1070)] }, /open gaps.*1060-1070/],
    ['has an open request', { openRequests: 2 }, /2 requests open/],
  ])('that %s is caught', (_what, change, problem) => {
    expect(compareLedger({ ...right, ...change }, copy).join()).toMatch(problem);
  });

  test('that does not know the stream is caught', () => {
    expect(compareLedger(undefined, copy)).toHaveLength(1);
  });
});

describe('the total', () => {
  const good = accountStamped({
    stream: 'press',
    truth,
    copy: copyOf([batch(1000, 1191)]),
    logReachesBackTo: 0,
  });

  test('is good when every stream is, and adds up', () => {
    expect(total([good, good], [], [])).toMatchObject({ ok: true, produced: 80, delivered: 80, missing: 0 });
  });

  test.each<[string, Partial<StreamAccount>]>([
    ['a missing reading', { missing: 1 }],
    ['an invented one', { invented: 1 }],
    ['a changed one', { changed: 1 }],
    ['an open gap', { openGaps: [{ start: 1, end: 2 }] }],
    ['a contradiction', { problems: ['odd'] }],
  ])('is bad with %s', (_what, change) => {
    expect(total([good, { ...good, ...change }], [], []).ok).toBe(false);
  });

  test('is bad with a problem of the whole, or with nothing in it', () => {
    expect(total([good], [], ['the runtime ended by itself']).ok).toBe(false);
    expect(total([], [], []).ok).toBe(false);
  });
});
