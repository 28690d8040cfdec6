// fast-check arbitraries for whatever travels on the wire. For tests only.
import fc from 'fast-check';
import type { MiniBatch } from '../mini-batch.ts';
import type { Quality, Reading, Value } from '../reading.ts';
import type { IndexKind, Window } from '../window.ts';

/** Any UTF-16 units: lone surrogates, NUL and quotes among them. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom('', '\ud800', '\udc00\ud800', '\u2028', '"\\', '\u0000'),
);

export const anyTag: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('temperature', 'pressure', 'line1/press/flow', 'n', 'v') },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '') },
  { weight: 1, arbitrary: anyText },
);

export const anyQuality: fc.Arbitrary<Quality> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Quality>('good') },
  { weight: 1, arbitrary: fc.constantFrom<Quality>('bad', 'uncertain', 'bad:timeout', 'uncertain:stale-2') },
);

const anyNumber = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e308, 5e-324, Number.MAX_SAFE_INTEGER),
);

const { value: anyNested } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'value' },
    fc.oneof(fc.constant(null), fc.boolean(), anyNumber, anyText),
    fc.array(tie('value'), { maxLength: 4, depthIdentifier: 'value' }),
    fc.dictionary(fc.oneof(anyTag, fc.constant('__proto__')), tie('value'), {
      maxKeys: 4,
      depthIdentifier: 'value',
      noNullPrototype: true,
    }),
  ),
}));

/** Any JSON value. */
export const anyValue: fc.Arbitrary<Value> = fc.oneof(
  { weight: 4, arbitrary: anyNumber },
  { weight: 1, arbitrary: fc.constant(20.5) },
  { weight: 2, arbitrary: anyNested },
);

export const anyIndexKind: fc.Arbitrary<IndexKind> = fc.constantFrom('time', 'sequence');

export function anyIndex(kind: IndexKind): fc.Arbitrary<number> {
  const most = kind === 'time' ? 8.64e15 : Number.MAX_SAFE_INTEGER;
  return fc.oneof(
    fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }),
    fc.integer({ min: -most, max: most }),
    fc.constantFrom(0, -1, most, -most),
  );
}

export function anyWindow(kind: IndexKind): fc.Arbitrary<Window> {
  return fc
    .uniqueArray(anyIndex(kind), { minLength: 2, maxLength: 2 })
    .map(([a, b]) => ({ start: Math.min(a!, b!), end: Math.max(a!, b!) }));
}

/** Readings as polled equipment gives them: the same tags at each position, some of them missing. */
const polled: fc.Arbitrary<Reading[]> = fc
  .record({
    start: fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }),
    tags: fc.uniqueArray(anyTag, { minLength: 1, maxLength: 5 }),
    polls: fc.array(
      fc.record({
        step: fc.integer({ min: 1, max: 5000 }),
        row: fc.array(fc.record({ value: anyValue, quality: anyQuality, isMissing: fc.boolean() }), {
          minLength: 5,
          maxLength: 5,
        }),
      }),
      { maxLength: 12 },
    ),
    isDense: fc.boolean(),
  })
  .map(({ start, tags, polls, isDense }) => {
    let index = start;
    return polls.flatMap(({ step, row }) => {
      index += step;
      return tags.flatMap((tag, i) => {
        const { value, quality, isMissing } = row[i]!;
        return isMissing && !isDense ? [] : [{ index, tag, value, quality }];
      });
    });
  });

/** Readings in index order and otherwise in any: tags repeat within a position. */
function scattered(kind: IndexKind): fc.Arbitrary<Reading[]> {
  const index = fc.oneof(anyIndex(kind), fc.integer({ min: 5, max: 9 }));
  return fc
    .array(fc.record({ index, tag: anyTag, value: anyValue, quality: anyQuality }), { maxLength: 25 })
    .map((readings) => readings.sort((a, b) => a.index - b.index));
}

export function anyReadings(kind: IndexKind): fc.Arbitrary<Reading[]> {
  return fc.oneof(polled, scattered(kind));
}

/** Those that one body can hold: no two neighbours further apart than 2^53. */
export function anyOneBody(kind: IndexKind): fc.Arbitrary<Reading[]> {
  return anyReadings(kind).filter((readings) =>
    readings.every((reading, i) => i === 0 || Number.isSafeInteger(reading.index - readings[i - 1]!.index)),
  );
}

export const anyBatchId: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('press', '__proto__', 'constructor', 'a.b_c:d-1', 'x'.repeat(128)),
  fc.stringMatching(/^[A-Za-z0-9._:-]{1,128}$/),
);

export const anyRequestId: fc.Arbitrary<string> = fc.oneof(
  fc.uuid(),
  fc.constant('~'.repeat(128)),
  fc.stringMatching(/^[!-~]{1,128}$/),
);

export const anyBatch: fc.Arbitrary<MiniBatch> = anyIndexKind.chain((index) =>
  fc.record({ batchId: anyBatchId, readings: anyReadings(index), spare: anyWindow(index) }).map((facts) => {
    const { batchId, readings, spare } = facts;
    const start = readings[0]?.index ?? spare.start;
    // A window must end after its last reading: at the very end of the index's range there is no room for that.
    const end = (readings.at(-1)?.index ?? spare.end - 1) + 1;
    const limit = index === 'time' ? 8.64e15 : Number.MAX_SAFE_INTEGER;
    const kept = end > limit ? readings.filter((reading) => reading.index < limit) : readings;
    return {
      batchId,
      index,
      window: { start: Math.min(start, limit - 1), end: Math.min(end, limit) },
      readings: kept,
    };
  }),
);

/** What nobody promised anything about. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withSparseArray: true }),
  fc.constantFrom('__proto__', Number.NaN, 1e308, -1, 2 ** 53, '9'.repeat(10_000), [], {}, null, undefined),
);
