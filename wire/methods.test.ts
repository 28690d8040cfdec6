import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type BackfillRequest,
  type Parsed,
  parseBackfillRequest,
  parseRequestId,
  parseSkip,
  resolveRange,
} from './methods.ts';
import { isBatchId, isRequestId } from './names.ts';
import { anything } from './testing/arbitraries.ts';

const window = { start: Date.UTC(2026, 10, 21, 22, 20), end: Date.UTC(2026, 10, 21, 22, 20, 10) };
const ours = {
  requestId: 'r-1',
  batchId: 'press',
  startWindow: '2026-11-21T22:20:00.000Z',
  endWindow: '2026-11-21T22:20:10.000Z',
};

function accepted<T>(parsed: { ok: true; value: T } | { ok: false; errors: unknown }): T {
  expect(parsed).toMatchObject({ ok: true });
  return (parsed as { value: T }).value;
}

function windowsAsked(parsed: Parsed<BackfillRequest>) {
  const request = accepted(parsed);
  if (request.kind !== 'windows') throw new Error('it asks for late windows');
  return request;
}

function badFields(parsed: {
  ok: boolean;
  errors?: readonly { field: string; problem: string }[];
}): string[] {
  expect(parsed.ok).toBe(false);
  for (const { problem } of parsed.errors!) expect(problem).not.toBe('');
  return parsed.errors!.map(({ field }) => field);
}

describe('backfill', () => {
  test('a request of our own form is taken as it is', () => {
    expect(parseBackfillRequest(ours)).toEqual({
      ok: true,
      value: { ...ours, kind: 'windows', derivedId: false },
    });
  });

  test('late windows are asked for by their numbers', () => {
    const late = { requestId: 'r-1', batchId: 'press', lateNumber: 'ab12.3', lateThrough: 'ab12.7' };
    expect(accepted(parseBackfillRequest(late))).toEqual({
      kind: 'late',
      requestId: 'r-1',
      batchId: 'press',
      late: { series: 'ab12', first: 3, last: 7 },
      derivedId: false,
    });
    expect(accepted(parseBackfillRequest({ ...late, lateThrough: undefined }))).toMatchObject({
      late: { first: 3, last: 3 },
    });
    expect(badFields(parseBackfillRequest({ ...late, lateThrough: 'ab12.2' }))).toEqual(['lateThrough']);
    expect(badFields(parseBackfillRequest({ ...late, lateNumber: 'x' }))).toEqual(['lateNumber']);
  });

  test('bounds may be numbers: epoch milliseconds or record numbers', () => {
    const request = windowsAsked(parseBackfillRequest({ ...ours, startWindow: 5, endWindow: 9 }));
    expect(request).toMatchObject({ startWindow: '5', endWindow: '9' });
    expect(accepted(resolveRange(request, 'sequence'))).toEqual({ start: 5, end: 9 });
    expect(accepted(resolveRange(request, 'time'))).toEqual({ start: 5, end: 9 });
  });

  test('the sample`s first form: PascalCase, seven digits, no request id', () => {
    const payload = {
      StartWindow: '2026-11-21T22:20:00.1234567Z',
      EndWindow: '2026-11-21T22:20:10.1234567Z',
      BatchId: 'press',
      Created: '2026-11-21T22:21:00.1111111Z',
    };
    const request = windowsAsked(parseBackfillRequest(payload));
    expect(request).toMatchObject({ batchId: 'press', derivedId: true });
    expect(isRequestId(request.requestId)).toBe(true);
    // Outwards: nothing of what was asked for is left out.
    expect(accepted(resolveRange(request, 'time'))).toEqual({
      start: window.start + 123,
      end: window.end + 124,
    });
  });

  test('the sample`s second form: DeviceID and epoch milliseconds as text', () => {
    const payload = {
      DeviceID: 'opcua1',
      BackfillStartTime: String(window.start),
      BackfillEndTime: String(window.end),
      CreatedAt: '2026-11-21T22:21:00Z',
    };
    const request = windowsAsked(parseBackfillRequest(payload));
    expect(request).toMatchObject({ batchId: 'opcua1', derivedId: true });
    expect(accepted(resolveRange(request, 'time'))).toEqual(window);
  });

  test('a derived id is the same for the same request, and another for any other', () => {
    const payload = {
      BatchId: 'press',
      StartWindow: ours.startWindow,
      EndWindow: ours.endWindow,
      Created: 'a',
    };
    const idOf = (more: object) => accepted(parseBackfillRequest({ ...payload, ...more })).requestId;
    expect(idOf({})).toBe(idOf({}));
    const others = [{ BatchId: 'b' }, { Created: 'b' }, { EndWindow: '2026-11-21T22:20:11.000Z' }].map(idOf);
    expect(new Set([idOf({}), ...others]).size).toBe(4);
  });

  test('every bad field is named', () => {
    expect(badFields(parseBackfillRequest({ requestId: 'a b', batchId: '', startWindow: 'soon' }))).toEqual(
      expect.arrayContaining(['requestId', 'batchId', 'startWindow', 'endWindow']),
    );
    expect(badFields(parseBackfillRequest({ ...ours, endWindow: ours.startWindow }))).toEqual(['endWindow']);
    expect(badFields(parseBackfillRequest({ ...ours, startWindow: 9, endWindow: 5 }))).toEqual(['endWindow']);
    expect(badFields(parseBackfillRequest({ ...ours, requestId: 'x'.repeat(129) }))).toEqual(['requestId']);
    expect(badFields(parseBackfillRequest({ ...ours, endWindow: 5.5 }))).toEqual(['endWindow']);
  });

  test.each([null, undefined, 'text', 7, true, [], [ours]])('a payload of %s is named as such', (payload) => {
    expect(badFields(parseBackfillRequest(payload))).toEqual(['payload']);
    expect(badFields(parseRequestId(payload))).toEqual(['payload']);
  });

  test('a range that does not fit the stream`s index is refused once that is known', () => {
    expect(badFields(resolveRange(ours, 'sequence'))).toEqual(['startWindow', 'endWindow']);
    expect(badFields(resolveRange({ startWindow: '5', endWindow: '5' }, 'sequence'))).toEqual(['endWindow']);
  });
});

describe('getBackfill and cancelBackfill', () => {
  test('need a request id', () => {
    expect(parseRequestId({ requestId: 'r-1' })).toEqual({
      ok: true,
      value: { requestId: 'r-1', declareVoid: false },
    });
    expect(accepted(parseRequestId({ requestId: 'r-1', declareVoid: true })).declareVoid).toBe(true);
    expect(badFields(parseRequestId({ requestId: 'r-1', declarevoid: true }))).toEqual(['declarevoid']);
    expect(badFields(parseRequestId({}))).toEqual(['requestId']);
    expect(badFields(parseRequestId({ requestId: 7, declareVoid: 'yes' }))).toEqual([
      'requestId',
      'declareVoid',
    ]);
  });
});

describe('skip', () => {
  test('names a stream and how many windows', () => {
    expect(accepted(parseSkip({ batchId: 'press', count: 3 }))).toEqual({ batchId: 'press', count: 3 });
    expect(accepted(parseSkip({ batchId: 'press' }))).toEqual({ batchId: 'press', count: 1 });
  });

  test.each([null, undefined, '', {}])(
    'the sample sends no payload (%s): the next window of every stream',
    (payload) => {
      expect(accepted(parseSkip(payload))).toEqual({ count: 1 });
    },
  );

  test('every bad field is named', () => {
    expect(badFields(parseSkip({ batchId: 'press', cuont: 3 }))).toEqual(['cuont']);
    expect(badFields(parseSkip({ count: 0 }))).toEqual(['batchId', 'count']);
    expect(badFields(parseSkip({ batchId: 'press', count: 1e9 }))).toEqual(['count']);
    expect(badFields(parseSkip('{}'))).toEqual(['payload']);
  });
});

test('any payload at all is read or refused, never thrown at', () => {
  const names = [
    'requestId',
    'batchId',
    'BatchId',
    'DeviceID',
    'startWindow',
    'StartWindow',
    'endWindow',
    'count',
  ];
  const record = fc.record(
    Object.fromEntries([...names, 'Created', '__proto__'].map((name) => [name, anything])),
    {
      requiredKeys: [],
      noNullPrototype: true,
    },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        anything,
        record,
        record.map((junk) => ({ ...ours, ...junk })),
      ),
      (payload) => {
        const request = parseBackfillRequest(payload);
        if (request.ok) {
          expect(isBatchId(request.value.batchId) && isRequestId(request.value.requestId)).toBe(true);
        }
        if (request.ok && request.value.kind === 'windows') {
          resolveRange(request.value, 'time');
          resolveRange(request.value, 'sequence');
        }
        parseRequestId(payload);
        parseSkip(payload);
      },
    ),
    { numRuns: 10_000 },
  );
});
