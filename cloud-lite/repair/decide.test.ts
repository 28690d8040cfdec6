import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalise, size } from '../../wire/coverage.ts';
import { followRequest, judgeBackfillAnswer, judgeFollowUp, type OpenRequest, splitAsk } from './decide.ts';
import type { MethodOutcome } from './hub-methods.ts';

const limits = {
  detectionDelayMs: 30,
  expiryMs: 1000,
  maxAttempts: 3,
  retryMs: 10,
  maxRange: { time: 100, sequence: 100 },
  maxActivePerDevice: 4,
  maxActive: 8,
};
const answered = (status: number, payload: unknown = null): MethodOutcome => ({
  kind: 'answered',
  status,
  payload,
});

describe('splitting what is to be asked', () => {
  test('covers exactly the ask, in order, in pieces no wider than the limit', () => {
    const windows = fc
      .array(fc.tuple(fc.integer({ min: -500, max: 500 }), fc.integer({ min: 1, max: 300 })))
      .map((list) => normalise(list.map(([start, length]) => ({ start, end: start + length }))));
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 90 }), (ask, width) => {
        const pieces = splitAsk(ask, width, 100_000);
        expect(normalise(pieces)).toEqual(ask);
        expect(pieces.every((piece) => piece.end - piece.start <= width)).toBe(true);
        expect(pieces.reduce((sum, piece) => sum + piece.end - piece.start, 0)).toBe(size(ask));
      }),
    );
  });

  test('stops at the limit: the rest is asked later', () => {
    expect(splitAsk([{ start: 0, end: Number.MAX_SAFE_INTEGER }], 10, 2)).toEqual([
      { start: 0, end: 10 },
      { start: 10, end: 20 },
    ]);
  });
});

describe('following a request', () => {
  const base: OpenRequest = {
    state: 'accepted',
    attempt: 1,
    remaining: [{ start: 0, end: 10 }],
    missing: [{ start: 0, end: 10 }],
    partlyVoid: false,
    progressAt: 0,
    moduleBackfillAt: 0,
    knownUntil: 0,
    moduleHeardAt: Number.MAX_SAFE_INTEGER,
  };

  test.each<[string, Partial<OpenRequest>, number, object]>([
    ['nothing is missing', { missing: [] }, 1, { state: 'closed' }],
    ['nothing is missing, some is void', { missing: [], partlyVoid: true }, 1, { state: 'partly-void' }],
    ['it closed while it waited', { state: 'pending', missing: [] }, 1, { state: 'closed' }],
    ['less is missing', { missing: [{ start: 3, end: 10 }] }, 5000, { kind: 'progress' }],
    ['nothing happened yet', {}, 999, { kind: 'same' }],
    ['nothing happened for too long', {}, 1000, { state: 'expired' }],
    ['nothing happened for too long, at the limit', { attempt: 3 }, 1000, { state: 'abandoned' }],
    ['it waits, and is not expired by that', { state: 'pending' }, 99_999, { kind: 'same' }],
    ['just answered', { answeredAt: 100 }, 129, { kind: 'same' }],
    ['answered, and not all came', { answeredAt: 100 }, 130, { state: 'expired' }],
    [
      'answered, other backfill still comes',
      { answeredAt: 100, moduleBackfillAt: 500 },
      529,
      { kind: 'same' },
    ],
    [
      'answered, and nothing at all comes any more: it may all stand in its queue',
      { answeredAt: 100, moduleHeardAt: 129 },
      999,
      { kind: 'same' },
    ],
    [
      'answered, and live data comes without it',
      { answeredAt: 100, moduleHeardAt: 130 },
      999,
      { state: 'expired' },
    ],
    ['answered, backfill has ended', { answeredAt: 100, moduleBackfillAt: 500 }, 530, { state: 'expired' }],
  ])('%s', (_, change, knownUntil, expected) => {
    expect(followRequest({ ...base, ...change, knownUntil }, limits)).toMatchObject(expected);
  });
});

describe('judging an answer', () => {
  test.each<[MethodOutcome, object]>([
    [answered(202, { state: 'accepted' }), { kind: 'accepted', answered: false }],
    [answered(200, { state: 'done' }), { kind: 'accepted', answered: true }],
    [
      answered(400, [{ field: 'batchId' }]),
      { kind: 'refused', why: 'the module answered 400: [{"field":"batchId"}]' },
    ],
    [answered(404), { kind: 'declined' }],
    [answered(500, 'x'.repeat(10_000)), { kind: 'declined', why: expect.stringMatching(/^.{1,400}$/) }],
    ...[0, -1, 201, 204, 301, 401, 403, 408, 410, 501, 599, 1e9].map((status): [MethodOutcome, object] => [
      answered(status),
      { kind: 'declined' },
    ]),
    [answered(429), { kind: 'wait', whose: 'module', unreachable: false }],
    [answered(503), { kind: 'wait', whose: 'module', unreachable: false }],
    [
      { kind: 'unreachable', detail: 'offline' },
      { kind: 'wait', unreachable: true, why: 'offline' },
    ],
    [
      { kind: 'throttled', detail: '', retryAfterMs: 5 },
      { kind: 'wait', whose: 'hub', unreachable: false, retryAfterMs: 5 },
    ],
    [
      { kind: 'unauthorised', detail: '401' },
      { kind: 'wait', unreachable: false },
    ],
    [
      { kind: 'hub-failed', detail: '500' },
      { kind: 'wait', unreachable: false },
    ],
  ])('%o', (outcome, expected) => {
    expect(judgeBackfillAnswer(outcome)).toMatchObject(expected);
  });

  test.each([
    [0.5, 1],
    [1e300, 3_600_000],
    [Number.POSITIVE_INFINITY, 3_600_000],
    [Number.NaN, undefined],
    [-5, undefined],
  ])('a hub that says to wait %d ms is left alone for %s ms', (retryAfterMs, expected) => {
    const sent = judgeBackfillAnswer({ kind: 'throttled', detail: '', retryAfterMs });
    expect((sent as { retryAfterMs?: number }).retryAfterMs).toBe(expected);
  });

  test('a payload deeper than can be written is declined with a bounded text', () => {
    const deep = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`);
    const sent = judgeBackfillAnswer(answered(404, deep)) as { kind: string; why: string };
    expect([sent.kind, sent.why]).toEqual([
      'declined',
      expect.stringMatching(/^the module answered 404: .{1,310}$/),
    ]);
    expect(judgeBackfillAnswer(answered(202, deep))).toEqual({ kind: 'accepted', answered: false });
  });

  test.each<[MethodOutcome, string]>([
    [answered(200, { state: 'running' }), 'working'],
    [answered(200, { state: 'done' }), 'answered'],
    [answered(200, { state: 'cancelled' }), 'answered'],
    [answered(200, 'what?'), 'working'],
    [answered(404), 'forgotten'],
    [answered(500), 'unknown'],
    [answered(429), 'wait'],
    [{ kind: 'unreachable', detail: 'offline' }, 'wait'],
  ])('of getBackfill: %o is %s', (outcome, kind) => {
    expect(judgeFollowUp(outcome).kind).toBe(kind);
  });
});
