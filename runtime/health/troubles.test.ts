import { describe, expect, it } from 'vitest';
import { fitText, statusText } from '../cli/status-text.ts';
import { shownSources } from './overview.ts';
import { type TroubledParts, troublesOf } from './troubles.ts';

const now = 1_700_000_000_000;
const well: TroubledParts = {
  now,
  sources: [{ name: 'press', phase: 'connected', since: now - 1000 }],
  failedSources: [],
  spool: {
    state: 'ok',
    backpressure: false,
    evicted: 0,
    lanes: { live: { messages: 2, bytes: 9 }, backlog: { messages: 5, bytes: 9 } },
  },
  fullInSeconds: 7200,
  keyProblem: undefined,
  uplink: { connected: true, since: now - 60_000 },
  waitingFor: undefined,
  clock: { trusted: true },
  config: { state: 'applied' },
  isWaitingAfterCrashes: false,
};
const spool = (more: object) => ({ spool: { ...well.spool, ...more } });

describe('what is wrong, in words', () => {
  it('is nothing while all is well', () => {
    expect(troublesOf(well)).toEqual([]);
  });

  it('is nothing where a source had a hole now and then, or many long ago', () => {
    const words = 'polls were missed';
    const after = (at: number, recent: number) =>
      troublesOf({ ...well, sources: [{ ...well.sources[0]!, lastBreak: { words, at, recent } }] });
    expect(after(now - 1000, 2)).toEqual([]);
    expect(after(now - 601_000, 12)).toEqual([]);
  });

  it.each([
    [
      {
        uplink: { connected: false, since: now - 600_000, diagnosis: 'the name hub is not found: check DNS' },
      },
      'bad',
      /not reached for 10 min: the name hub is not found.*7 messages wait; the room lasts 2\.0 h/,
    ],
    [{ waitingFor: 'daily-cap' }, 'poor', /cap of messages a day/],
    [
      {
        sources: [
          {
            ...well.sources[0]!,
            lastBreak: { words: 'polls were missed (poll-missed)', at: now - 60_000, recent: 12 },
            complaint: '9 bytes were dropped',
          },
        ],
      },
      'poor',
      /press has holes again and again, 12 in ten minutes: polls were missed.*; 9 bytes were dropped/,
    ],
    [
      { sources: [{ ...well.sources[0]!, complaint: 'a tag is not given: a (no-answer)' }] },
      'poor',
      /press: a tag is not given: a/,
    ],
    [{ waitingFor: 'throttled' }, 'poor', /throttles/],
    [spool({ state: 'failing', problem: 'ENOSPC' }), 'bad', /disk: ENOSPC/],
    [spool({ backpressure: true }), 'bad', /full/],
    [spool({ evicted: 3 }), 'poor', /3 windows/],
    [spool({ repair: { reason: 'the store is gone' } }), 'poor', /damaged: the store is gone/],
    [
      spool({ continuity: { state: 'lost', reason: 'a copy' } }),
      'poor',
      /not proven to be the latest state: a copy/,
    ],
    [
      spool({
        repair: { reason: 'start 3 was seen', isRollback: true },
        continuity: { state: 'lost', reason: 'start 3 was seen' },
      }),
      'poor',
      /^the data folder is not proven to be the latest state: start 3 was seen$/,
    ],
    [
      spool({ repair: { reason: 'a bad table' }, continuity: { state: 'lost', reason: 'a bad table' } }),
      'poor',
      /^stored data was damaged: a bad table$/,
    ],
    [{ keyProblem: 'no such file' }, 'bad', /lacks a key: no such file/],
    [
      {
        sources: [
          {
            name: 'oven',
            phase: 'backoff',
            since: now - 5000,
            disconnectedSince: now - 600_000,
            lastError: { code: 'x', message: 'no answer' },
          },
        ],
      },
      'bad',
      /oven is not connected for 10 min: no answer/,
    ],
    [{ failedSources: [{ name: 'scale', reason: 'no such port' }] }, 'bad', /scale cannot run: no such port/],
    [{ clock: { trusted: false, reason: 'never set' } }, 'poor', /clock is not trusted: never set/],
    [
      { config: { state: 'refused', errors: [{ path: 'a.b', message: 'is wrong' }] } },
      'poor',
      /wrong and was not taken: a\.b: is wrong/,
    ],
    [
      {
        rules: [
          { name: 'a', phase: 'running' },
          { name: 'hot', phase: 'halted', problem: 'too slow' },
        ],
      },
      'bad',
      /rule hot is suspended: too slow/,
    ],
    [{ isWaitingAfterCrashes: true }, 'bad', /crashed again and again/],
  ] as [Partial<TroubledParts>, string, RegExp][])('%j', (more, grade, text) => {
    const [first, ...rest] = troublesOf({ ...well, ...more });
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ grade, text: expect.stringMatching(text) });
  });

  it('has the worst first, and a thousand sources in twenty lines', () => {
    const sources = Array.from({ length: 1000 }, (_, n) => ({ name: `s${n}`, phase: 'backoff', since: now }));
    const troubles = troublesOf({ ...well, sources, clock: { trusted: false } });
    expect(troubles).toHaveLength(22);
    expect(troubles.at(-1)).toMatchObject({ grade: 'poor' });
    expect(troubles.some(({ text }) => text.includes('980 more'))).toBe(true);
  });
});

describe('what page and terminal show', () => {
  it('is bounded, however many tags there are and however large their values', () => {
    const values = Array.from({ length: 10_000 }, (_, n) => ({
      index: now,
      tag: `tag${n}`,
      value: 'x'.repeat(10_000),
      quality: 'good' as const,
    }));
    const shown = shownSources([...'abcdefghijklmnop'].map((name) => ({ name, index: 'time', values })));
    expect(JSON.stringify(shown).length).toBeLessThan(400_000);
    expect(shown[0]).toMatchObject({ more: 9800 });
    expect(shown.at(-1)).toMatchObject({ more: 10_000, values: [] });
  });

  it('has the time of day of what the gateway stamps with the time since its start, and no digits that are none', () => {
    const quality = 'good' as const;
    const values = [
      { index: 2000, tag: 'single', value: Math.fround(21.1), quality },
      { index: 2000.4, tag: 'count', value: 4294967295, quality },
      { index: 2000, tag: 'a\nb', value: 'x\u202ey', quality },
    ];
    const [shown] = shownSources([{ name: 'press', index: 'time', values, offsetMs: now - 2000 }]);
    const at = new Date(now).toISOString();
    expect(shown!.values).toEqual([
      { tag: 'single', value: '21.1000004', quality, at },
      { tag: 'count', value: '4294967295', quality, at },
      { tag: 'a b', value: 'x y', quality, at },
    ]);
  });

  const overview = (more: object) => ({
    status: {
      version: '1.2.3',
      time: '2026-01-01T00:00:00.000Z',
      uptimeMs: 1000,
      uplink: { connected: false },
      sources: [{ name: 'pre\u001b[2Jss', phase: 'backoff', readings: 5, breaks: 1 }],
      spool: { state: 'ok', evicted: 0, damaged: 0, lanes: { live: { messages: 1, bytes: 2 } } },
      jobs: { open: 0 },
      clock: { mode: 'trusted' },
      ...more,
    },
    troubles: [],
    notReady: [],
    fullInSeconds: null,
    sources: [],
    log: [],
  });

  it('in the terminal has the same words, and nothing that steers it', () => {
    const text = statusText({
      ...overview({}),
      troubles: [{ grade: 'bad', text: 'the hub is not reached' }],
      log: [
        {
          level: 'warn',
          time: '2026-01-01T00:00:00.000Z',
          msg: 'a\u0007b',
          source: 'press',
          code: 'modbus-timeout',
        },
      ],
    });
    expect(text).toContain('00:00:00 warn  a b source=press code=modbus-timeout');
    expect(text).toContain('!! the hub is not reached');
    expect(text).toMatch(/pre \[2Jss\s+backoff\s+5\s+1\s+none/);
    expect(text).not.toMatch(/^rule /m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for.
    expect(text).not.toMatch(/[\u0007\u001b]/);
  });

  it('in a terminal that is small has the trouble, and says that there is more', () => {
    const text = statusText({
      ...overview({}),
      troubles: [{ grade: 'bad', text: `the hub is not reached: ${'why '.repeat(40)}` }],
      log: Array.from({ length: 8 }, () => ({ level: 'info', time: '2026-01-01T00:00:00.000Z', msg: 'x' })),
    });
    for (const rows of [1, 2, 8, 14, 24, 100]) {
      const fitted = fitText(text, { rows, columns: 80 });
      const taken = fitted
        .split('\n')
        .reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 80)), 0);
      expect(taken).toBeLessThanOrEqual(Math.max(1, rows - 1));
      if (rows >= 8) expect(fitted).toContain('!! the hub is not reached');
      expect(fitted === text).toBe(rows === 100);
      expect(/\d+ more lines/.test(fitted)).toBe(rows !== 100);
    }
  });

  it('in the terminal has a line for each rule, with what it did and what it refused', () => {
    const rules = [
      {
        name: 'hot',
        phase: 'running',
        rows: 12,
        refused: 1,
        failed: 2,
        actions: { done: 7, expired: 1, refused: 3 },
      },
      {
        name: 'tried',
        phase: 'running',
        dryRun: true,
        rows: 4,
        refused: 0,
        failed: 0,
        actions: { 'dry-run': 4 },
      },
      { name: 'broken', phase: 'failed', problem: 'line 1, column 8' },
    ];
    const lines = statusText(overview({ rules }))
      .split('\n')
      .map((line) => line.trim().split(/\s{2,}/));
    const at = lines.findIndex(([first]) => first === 'rule');
    expect(lines.slice(at, at + 4)).toEqual([
      ['rule', 'state', 'rows', 'actions', 'not carried out', 'inputs left out', 'trouble'],
      ['hot', 'running', '12', '7', '4', '3'],
      ['tried', 'running, dry run', '4', '4', '0', '0'],
      ['broken', 'failed', '0', '0', '0', '0', 'line 1, column 8'],
    ]);
  });

  it('in the terminal names no hub where there is none', () => {
    const text = statusText(overview({ uplink: { connected: true, sink: 'standard output' } }));
    expect(text).toContain('messages go to standard output, there is no hub');
    expect(text).not.toMatch(/hub (is )?connected/);
  });
});
