import { expect, test } from 'vitest';
import { type Account, type StreamAccount, total } from './account.ts';
import { jsonLine, tableLines } from './report.ts';

const press: StreamAccount = {
  stream: 'press',
  produced: 12_000,
  delivered: 12_000,
  duplicates: 30,
  void: 0,
  missing: 0,
  invented: 0,
  changed: 0,
  missingRanges: [],
  openGaps: [],
  voids: [],
  problems: [],
};
const meter: StreamAccount = {
  ...press,
  stream: 'meter',
  produced: 500,
  delivered: 480,
  void: 20,
  voids: [{ start: 0, end: 2500 }],
};
const good: Account = total([press, meter], [], []);

test('the table of a good account', () => {
  expect(tableLines(good, 98.76).join('\n')).toMatchSnapshot();
});

test('the table of a bad account says what is missing, where and why, and not without end', () => {
  const at = Date.UTC(2026, 10, 21, 12);
  const range = { window: { start: at, end: at + 1500 }, readings: 7, why: 'in a gap' as const };
  const bad = total(
    [
      {
        ...press,
        missing: 70,
        missingRanges: Array.from({ length: 10 }, () => range),
        openGaps: [{ start: at, end: at + 1500 }],
      },
    ],
    [],
    ['the runtime ended by itself'],
  );
  const lines = tableLines(bad, 100);
  expect(lines).toContain('NOT accounted for.');
  expect(lines).toContain('  ! the runtime ended by itself');
  const where = `12:00:00.000 - 12:00:01.500 (${at}-${at + 1500})`;
  expect(lines.filter((line) => line === `  ! press: 7 readings missing ${where}, in a gap`)).toHaveLength(8);
  expect(lines).toContain('  ! press: and 2 more ranges');
  expect(lines).toContain(`  ! press: open gap ${where}`);
});

test('the line for programs is one line with every count', () => {
  const line = jsonLine(good, 98.76);
  expect(line).not.toContain('\n');
  expect(JSON.parse(line)).toEqual({
    ok: true,
    produced: 12_500,
    delivered: 12_480,
    duplicates: 60,
    void: 20,
    missing: 0,
    invented: 0,
    changed: 0,
    voidSeconds: 2.5,
    gapsFound: 0,
    gapsClosed: 0,
    openGaps: 0,
    seconds: 98.8,
    streams: [
      ['press', 12_000, 12_000, 30, 0],
      ['meter', 500, 480, 30, 20],
    ].map(([stream, produced, delivered, duplicates, gone]) => ({
      ...{ stream, produced, delivered, duplicates, void: gone, missing: 0, invented: 0, changed: 0 },
    })),
    problems: [],
    rule: null,
    dashboard: null,
  });
});

test('a rule is told with arrival against event time, each in its box', () => {
  const [maxEventTime, arrived] = [Date.UTC(2026, 10, 21, 12), Date.UTC(2026, 10, 21, 12, 0, 9, 500)];
  const verdicts = {
    ...{ stream: 'rule:overheated', verdicts: 9, missing: 0, doubled: 0, invented: 0, wrong: 0 },
    ...{ resets: 9, repeatedResets: 1, resetsWhileCut: 4, problems: [] },
    shown: [{ box: 'red' as const, maxEventTime, arrived }],
  };
  const account = total([press], [], [], verdicts);
  const lines = tableLines(account, 98.76);
  expect(lines).toContain('  12:00:00.000   12:00:09.500   9.5 s later  red: decided in the cut');
  expect(lines.find((line) => line.startsWith('rule:overheated'))).toContain(
    '9 verdicts, 0 missing, 0 doubled',
  );
  expect(JSON.parse(jsonLine(account, 98.76)).rule).toMatchObject({
    verdicts: 9,
    resetsWhileCut: 4,
    shown: [{ box: 'red', maxEventTime: '2026-11-21T12:00:00.000Z', arrived: '2026-11-21T12:00:09.500Z' }],
  });
  expect(total([press], [], [], { ...verdicts, missing: 1, problems: ['one is missing'] }).ok).toBe(false);
});

test('what the dashboard showed is told, with why something is void and where the pictures are', () => {
  const seen = {
    gapsOn: ['meter', 'press'],
    voids: { meter: 'void: no history' },
    healed: true,
    folder: '/pictures',
    pictures: ['1-before-fleet.png', '3-healed-fleet.png'],
  };
  expect(tableLines(good, 98.76, seen)).toContain(
    'dashboard: gaps seen on meter, press; whole again at the end, but for meter (void: no history)',
  );
  expect(tableLines(good, 98.76, seen)).toContain('  2 pictures of it are in /pictures');
  expect(JSON.parse(jsonLine(good, 98.76, seen)).dashboard).toEqual(seen);
});
