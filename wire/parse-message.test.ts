import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../kernel/errors.ts';
import { isIndex } from './index-position.ts';
import { voidReasons } from './mini-batch.ts';
import { isBatchId } from './names.ts';
import { BadMessageError, parseMessage } from './parse-message.ts';
import { anything } from './testing/arbitraries.ts';
import { isWindow } from './window.ts';

const window = { start: Date.UTC(2026, 10, 21, 22, 20), end: Date.UTC(2026, 10, 21, 22, 20, 10) };
const ours = {
  batchId: 'press',
  startWindow: '2026-11-21T22:20:00.000Z',
  endWindow: '2026-11-21T22:20:10.000Z',
  count: '3',
  schema: 'columns/1',
};

/** The bad properties that parsing names. */
function badFields(properties: Record<string, unknown>, system = {}): string[] {
  try {
    parseMessage(properties, system);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(BadMessageError);
    const { problems, message, code } = error as BadMessageError;
    expect(code).toBe('wire-bad-message');
    for (const { field } of problems) expect(message).toContain(field);
    return problems.map(({ field }) => field);
  }
}

describe('our own messages', () => {
  test('are read with all that they say', () => {
    expect(
      parseMessage(
        { ...ours, part: '2/3', isBackfill: 'true', requestId: 'r-1' },
        { messageId: 'id', contentType: 'application/json', contentEncoding: 'gzip' },
      ),
    ).toEqual({
      kind: 'batch',
      batchId: 'press',
      index: 'time',
      window,
      count: 3,
      part: { k: 2, n: 3 },
      schema: 'columns/1',
      isBackfill: true,
      requestId: 'r-1',
      messageId: 'id',
      contentEncoding: 'gzip',
    });
  });

  test('that are late have a number of their own, plain or of a series', () => {
    const late = { ...ours, isLate: 'true', isBackfill: 'true' };
    expect(parseMessage({ ...late, lateNumber: '7' }, {})).toMatchObject({
      kind: 'late',
      late: { series: '', number: 7 },
    });
    expect(parseMessage({ ...late, lateNumber: 'ab12.7' }, {})).toMatchObject({
      late: { series: 'ab12', number: 7 },
    });
    expect(badFields(late)).toEqual(['lateNumber']);
    for (const lateNumber of ['0', '-1', '1.2.3', 'AB.1', `${'a'.repeat(17)}.1`, '9007199254740992', '']) {
      expect(badFields({ ...late, lateNumber }), lateNumber).toEqual(['lateNumber']);
    }
  });

  test('that declare late windows lost name them from first to last', () => {
    const lost = { batchId: 'press', isLate: 'true', void: 'evicted', lateNumber: '3' };
    expect(parseMessage(lost, {})).toMatchObject({ kind: 'late-void', late: { first: 3, last: 3 } });
    expect(parseMessage({ ...lost, lateThrough: '9' }, {})).toMatchObject({ late: { first: 3, last: 9 } });
    expect(badFields({ ...lost, lateThrough: '2' })).toEqual(['lateThrough']);
    expect(badFields({ ...lost, lateThrough: 'other.9' })).toEqual(['lateThrough']);
  });

  test('say how many late ones there were before; 0 is none', () => {
    expect(parseMessage({ ...ours, lateThrough: '0' }, {})).not.toHaveProperty('lateThrough');
    expect(parseMessage({ ...ours, lateThrough: 'ab.9' }, {})).toMatchObject({
      lateThrough: { series: 'ab', number: 9 },
    });
    expect(badFields({ ...ours, lateThrough: 'many' })).toEqual(['lateThrough']);
  });

  test('say where their stream began', () => {
    const began = Date.UTC(2026, 10, 1);
    expect(parseMessage({ ...ours, streamStart: String(began) }, {})).toMatchObject({ streamStart: began });
    expect(parseMessage({ ...ours, streamStart: '2026-11-01T00:00:00.000Z' }, {})).toMatchObject({
      streamStart: began,
    });
    expect(badFields({ ...ours, streamStart: 'long ago' })).toEqual(['streamStart']);
    expect(parseMessage(ours, {})).not.toHaveProperty('streamStart');
  });

  test('of sequences have record numbers', () => {
    const properties = { ...ours, index: 'sequence', startWindow: '-5', endWindow: '12' };
    expect(parseMessage(properties, {})).toMatchObject({ index: 'sequence', window: { start: -5, end: 12 } });
    expect(badFields({ ...ours, index: 'sequence' })).toEqual(['startWindow', 'endWindow']);
  });

  test.each(voidReasons)('are voids when they say so: %s', (reason) => {
    const { schema, ...rest } = ours;
    expect(parseMessage({ ...rest, count: '0', void: reason }, {})).toEqual({
      kind: 'void',
      batchId: 'press',
      index: 'time',
      window,
      reason,
      isBackfill: false,
    });
  });

  test('may have values of other AMQP types', () => {
    const properties = {
      ...ours,
      startWindow: new Date(window.start),
      endWindow: BigInt(window.end),
      count: 3,
      isBackfill: true,
    };
    expect(parseMessage(properties, {})).toMatchObject({ window, count: 3, isBackfill: true });
  });

  test('may have a schema newer than this reader, and properties that it does not know', () => {
    expect(parseMessage({ ...ours, schema: 'columns/9', site: 'x' }, {})).toMatchObject({
      schema: 'columns/9',
    });
  });

  test('must be in a content encoding that can be read', () => {
    expect(badFields(ours, { contentEncoding: 'br' })).toEqual(['contentEncoding']);
    expect(badFields(ours, { contentEncoding: 'UTF-8' })).toEqual([]);
  });
});

describe('messages of the published sample', () => {
  test('in its first form: dataWindowStart and dataWindowEnd with seven fraction digits', () => {
    const properties = {
      batchId: '0f8fad5b-d9cb-469f-a165-70867728950e',
      sequenceNumber: '12',
      dataWindowStart: '2026-11-21T22:20:00.0000000Z',
      dataWindowEnd: '2026-11-21T22:20:10.0001234Z',
    };
    expect(parseMessage(properties, { contentEncoding: 'UTF-8', contentType: 'application/json' })).toEqual({
      kind: 'batch',
      batchId: '0f8fad5b-d9cb-469f-a165-70867728950e',
      index: 'time',
      window,
      isBackfill: false,
      contentEncoding: 'utf-8',
    });
  });

  test('in its first form, as an answer: BatchId, StartWindow, EndWindow', () => {
    const properties = {
      BatchId: 'press',
      StartWindow: '2026-11-21T22:20:00.0000000Z',
      EndWindow: '2026-11-21T22:20:10.0000000Z',
      isBackfill: 'true',
    };
    expect(parseMessage(properties, {})).toMatchObject({ batchId: 'press', window, isBackfill: true });
  });

  test('in its second form: epoch milliseconds, and deviceID as the stream, since batchId changes each time', () => {
    const properties = {
      deviceID: 'opcua1',
      batchId: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
      firstTsInBatch: String(window.start + 100),
      lastTsInBatch: String(window.end - 100),
      StartWindow: String(window.start),
      EndWindow: String(window.end),
    };
    expect(parseMessage(properties, {})).toMatchObject({ batchId: 'opcua1', window });
    expect(parseMessage({ ...ours, deviceID: 'x', firstTsInBatch: '1' }, {})).toMatchObject({
      batchId: 'press',
    });
  });

  test('in any content encoding: their bodies are their own business', () => {
    const { schema, count, ...rest } = ours;
    expect(parseMessage(rest, { contentEncoding: 'utf-16' })).toMatchObject({ contentEncoding: 'utf-8' });
  });

  test('our names win over aliases', () => {
    const properties = { ...ours, BatchId: 'other', StartWindow: '0', dataWindowEnd: '1' };
    expect(parseMessage(properties, {})).toMatchObject({ batchId: 'press', window });
  });
});

describe('damaged messages', () => {
  test('name every bad property at once', () => {
    const properties = {
      batchId: 'a b',
      startWindow: 'soon',
      count: '-1',
      part: '3/2',
      isBackfill: 'maybe',
      requestId: 'ä',
      schema: '',
      void: 'lost',
    };
    expect(badFields(properties).sort()).toEqual(
      [
        'batchId',
        'count',
        'endWindow',
        'isBackfill',
        'part',
        'requestId',
        'schema',
        'startWindow',
        'void',
      ].sort(),
    );
  });

  test.each([
    ['batchId', { ...ours, batchId: undefined }],
    ['batchId', { ...ours, batchId: 'x'.repeat(129) }],
    ['batchId', { ...ours, batchId: 7 }],
    ['startWindow', { ...ours, startWindow: null }],
    ['endWindow', { ...ours, endWindow: ours.startWindow }],
    ['endWindow', { ...ours, endWindow: '2026-11-21T22:19:59.999Z' }],
    ['index', { ...ours, index: 'Sequence' }],
    ['count', { ...ours, count: '3.5' }],
    ['count', { ...ours, count: '100001' }],
    ['count', { ...ours, count: [] }],
    ['part', { ...ours, part: '0/2' }],
    ['part', { ...ours, part: '1/10001' }],
    ['part', { ...ours, part: '1' }],
    ['part', { ...ours, part: 0.5 }],
    ['void', { ...ours, void: 'toString' }],
    ['schema', { ...ours, schema: 'x'.repeat(65) }],
  ])('%s is named when it alone is bad: %o', (field, properties) => {
    expect(badFields(properties)).toEqual([field]);
  });

  test('names from Object.prototype are no properties', () => {
    expect(badFields({})).toEqual(['batchId', 'startWindow', 'endWindow']);
    const inherited = Object.create(ours) as Record<string, unknown>;
    expect(badFields(inherited)).toEqual(['batchId', 'startWindow', 'endWindow']);
    const bare = Object.assign(Object.create(null) as object, ours, { ['__proto__']: 1 });
    expect(badFields(bare as Record<string, unknown>)).toEqual([]);
  });

  test('anything at all is a message that holds, or refused with a coded error', () => {
    const names = [
      'batchId',
      'BatchId',
      'startWindow',
      'StartWindow',
      'dataWindowStart',
      'endWindow',
      'EndWindow',
    ];
    const others = [
      'index',
      'count',
      'part',
      'isBackfill',
      'requestId',
      'void',
      'schema',
      'deviceID',
      'firstTsInBatch',
      'isLate',
      'lateNumber',
      'lateThrough',
      'streamStart',
    ];
    const replaced = fc.record(
      Object.fromEntries([...names, ...others, '__proto__'].map((name) => [name, anything])),
      { requiredKeys: [], noNullPrototype: true },
    );
    let accepted = 0;
    fc.assert(
      fc.property(replaced, fc.boolean(), anything, (junk, isMostlyOurs, system) => {
        const [first] = Object.keys(junk);
        const properties = isMostlyOurs ? { ...ours, ...(first && { [first]: junk[first] }) } : junk;
        try {
          const parsed = parseMessage(properties, { messageId: system, contentEncoding: system });
          accepted++;
          expect(isBatchId(parsed.batchId)).toBe(true);
          if (parsed.kind === 'late-void') return;
          expect(isWindow(parsed.window)).toBe(true);
          expect(isIndex(parsed.index, parsed.window.start)).toBe(true);
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
          expect(error.code).toBe('wire-bad-message');
        }
      }),
      { numRuns: 10_000 },
    );
    // Both ways out were taken; how often is up to chance.
    expect(accepted).toBeGreaterThan(0);
  });
});
