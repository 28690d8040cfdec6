import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../kernel/random.ts';
import { bodySchemas, decodeBody } from './body.ts';
import { maxMessageBytes } from './limits.ts';
import {
  encodeLateVoid,
  encodeMiniBatch,
  encodeVoid,
  type MessageOptions,
  markAsBackfill,
  messageBytes,
  parseMessage,
} from './message.ts';
import { stampReserveBytes } from './message-size.ts';
import { type MiniBatch, voidReasons, type WireMessage } from './mini-batch.ts';
import type { Reading, Value } from './reading.ts';
import { anyBatch, anyBatchId, anyIndexKind, anyRequestId, anyWindow } from './testing/arbitraries.ts';
import type { Window } from './window.ts';

const start = Date.UTC(2026, 10, 21, 22, 20);
const options: MessageOptions = { schema: 'columns/1', gzip: true, creationTime: start + 10_000 };
const longestMark = { requestId: 'r'.repeat(128) };

function batchOf(readings: readonly Reading[], more: Partial<MiniBatch> = {}): MiniBatch {
  return { batchId: 'press', index: 'time', window: { start, end: start + 10_000 }, readings, ...more };
}

/** `positions` index positions with `width` readings each, of random values that do not compress. */
function noise(
  positions: number,
  width: number,
  value = (random: () => number): Value => random(),
): Reading[] {
  const random = seededRandom(positions * 31 + width);
  return Array.from({ length: positions * width }, (_, i) => ({
    index: start + Math.floor(i / width),
    tag: `tag_${i % width}`,
    value: value(() => random.next()),
    quality: 'good' as const,
  }));
}

function decode(message: WireMessage): Reading[] {
  const parsed = parseMessage(message.properties, message);
  assert(parsed.kind === 'batch' && parsed.schema !== undefined);
  const readings = decodeBody(message.body, {
    schema: parsed.schema,
    contentEncoding: message.contentEncoding,
    index: parsed.index,
  });
  expect(readings.length).toBe(parsed.count);
  return readings;
}

describe('one message', () => {
  test('has the protocol`s properties, and no others', () => {
    const [message, ...rest] = encodeMiniBatch(
      batchOf([{ index: start, tag: 'a', value: 1, quality: 'good' }]),
      options,
    );
    expect(rest).toEqual([]);
    expect(message).toMatchObject({
      messageId: `press;${start}-${start + 10_000}`,
      contentEncoding: 'utf-8',
      creationTime: start + 10_000,
    });
    expect(message!.properties).toEqual({
      batchId: 'press',
      startWindow: '2026-11-21T22:20:00.000Z',
      endWindow: '2026-11-21T22:20:10.000Z',
      count: '1',
      schema: 'columns/1',
    });
  });

  test('of a sequence says so, and has its record numbers in decimal', () => {
    const batch = batchOf([], { index: 'sequence', window: { start: 7, end: 12 } });
    expect(encodeMiniBatch(batch, options)[0]!.properties).toEqual({
      batchId: 'press',
      startWindow: '7',
      endWindow: '12',
      index: 'sequence',
      count: '0',
      schema: 'columns/1',
    });
  });

  test('as an answer carries the mark and an id of its own', () => {
    const [message] = encodeMiniBatch(batchOf([]), { ...options, mark: { requestId: 'r-1' } });
    expect(message!.messageId).toBe(`press;${start}-${start + 10_000};b`);
    expect(message!.properties).toMatchObject({ isBackfill: 'true', requestId: 'r-1', count: '0' });
  });

  test.each(bodySchemas)('gives the mini-batch back, in %s', (schema) => {
    fc.assert(
      fc.property(
        anyBatch,
        fc.boolean(),
        fc.option(anyRequestId, { nil: undefined }),
        (batch, gzip, requestId) => {
          const mark = requestId === undefined ? undefined : { requestId };
          const messages = encodeMiniBatch(batch, { schema, gzip, creationTime: 5, ...(mark && { mark }) });
          const readings = messages.flatMap((message) => {
            const parsed = parseMessage(message.properties, message);
            expect(parsed).toMatchObject({
              kind: 'batch',
              batchId: batch.batchId,
              index: batch.index,
              isBackfill: requestId !== undefined,
            });
            assert.deepStrictEqual('window' in parsed && parsed.window, positive(batch.window));
            expect(parsed.requestId).toBe(requestId);
            return decode(message);
          });
          assert.deepStrictEqual(readings, JSON.parse(JSON.stringify(batch.readings)));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('parts', () => {
  test.each(bodySchemas.flatMap((schema) => [true, false].map((gzip) => ({ schema, gzip }))))(
    'hold every reading once, in order, each within the limit even when marked later: %o',
    (form) => {
      const readings = noise(1200, 50);
      const messages = encodeMiniBatch(batchOf(readings), { ...options, ...form });
      expect(messages.length).toBeGreaterThan(1);
      assert.deepStrictEqual(messages.flatMap(decode), readings);
      messages.forEach((message, i) => {
        expect(messageBytes(markAsBackfill(message, longestMark))).toBeLessThanOrEqual(maxMessageBytes);
        expect(message.properties.part).toBe(`${i + 1}/${messages.length}`);
        expect(message.properties.partSet).toMatch(/^[0-9a-f]{16}$/);
        expect(message.properties.partSet).toBe(messages[0]!.properties.partSet);
        expect(message.messageId).toBe(`press;${start}-${start + 10_000};${i + 1}.${messages.length}`);
        expect(message.properties.startWindow).toBe('2026-11-21T22:20:00.000Z');
      });
      expectWholePositions(messages);
    },
  );

  test('are not many more than the bytes need', () => {
    const readings = noise(1000, 50);
    const messages = encodeMiniBatch(batchOf(readings), options);
    const bytes = messages.reduce((sum, message) => sum + messageBytes(message), 0);
    expect(messages.length).toBeLessThanOrEqual(Math.ceil(bytes / (0.85 * maxMessageBytes)) + 1);
  });

  test('cut a position only when no message can hold it: 10,000 readings at one millisecond', () => {
    const position = (index: number, n: number) => noise(1, n).map((reading) => ({ ...reading, index }));
    const one = encodeMiniBatch(batchOf(position(start, 10_000)), { ...options, gzip: false });
    expect(one.length).toBeGreaterThan(1);
    assert.deepStrictEqual(one.flatMap(decode), position(start, 10_000));

    const between = [...position(start, 40), ...position(start + 1, 10_000), ...position(start + 2, 40)];
    const messages = encodeMiniBatch(batchOf(between), { ...options, gzip: false });
    assert.deepStrictEqual(messages.flatMap(decode), between);
    const holding = (index: number) =>
      messages.filter((message) => decode(message).some((r) => r.index === index));
    expect(holding(start).length).toBe(1);
    expect(holding(start + 2).length).toBe(1);
    expect(holding(start + 1).length).toBeGreaterThan(1);
  });

  test('stay exact for any small limit, and any readings', () => {
    fc.assert(
      fc.property(anyBatch, fc.integer({ min: 4096, max: 6000 }), fc.boolean(), (batch, maxBytes, gzip) => {
        const filler = 'f'.repeat(700);
        const readings = batch.readings.map((reading, i) =>
          i % 3 === 0 ? { ...reading, value: filler + i } : reading,
        );
        const messages = encodeMiniBatch({ ...batch, readings }, { ...options, gzip, maxBytes });
        assert.deepStrictEqual(messages.flatMap(decode), JSON.parse(JSON.stringify(readings)));
        for (const message of messages) {
          expect(messageBytes(markAsBackfill(message, longestMark))).toBeLessThanOrEqual(maxBytes);
          expect(message.messageId.length).toBeLessThanOrEqual(126);
        }
        expect(new Set(messages.map((message) => message.messageId)).size).toBe(messages.length);
      }),
      { numRuns: 500 },
    );
  });

  test('the largest single message leaves just the room for the longest mark and for what hubs add', () => {
    const messagesFor = (length: number) =>
      encodeMiniBatch(
        batchOf(
          [0, 1].map((i) => ({ index: start + i, tag: 'a', value: 'x'.repeat(length), quality: 'good' })),
        ),
        { ...options, gzip: false },
      );
    let [fits, tooLong] = [1000, maxMessageBytes];
    while (tooLong - fits > 1) {
      const middle = Math.floor((fits + tooLong) / 2);
      if (messagesFor(middle / 2).length === 1) fits = middle;
      else tooLong = middle;
    }
    const marked = messageBytes(markAsBackfill(messagesFor(fits / 2)[0]!, longestMark)) + stampReserveBytes;
    expect(marked).toBeLessThanOrEqual(maxMessageBytes);
    expect(marked).toBeGreaterThan(maxMessageBytes - 64);
  });

  test('name their encoding: the same each time, another one for other readings', () => {
    const setOf = (readings: readonly Reading[]) =>
      encodeMiniBatch(batchOf(readings), options)[0]!.properties.partSet;
    const readings = noise(1200, 50);
    expect(setOf(readings)).toBe(setOf([...readings]));
    expect(setOf(readings)).not.toBe(setOf([...readings.slice(0, -1), { ...readings.at(-1)!, value: 2 }]));
  });

  test('are the same each time', () => {
    const [a, b] = [1, 2].map(() => encodeMiniBatch(batchOf(noise(400, 50)), options));
    assert.deepStrictEqual(a, b);
  });

  test('carry more readings than one body may have, however small they are', () => {
    const readings = Array.from({ length: 250_000 }, (_, i) => ({
      index: start + Math.floor(i / 25),
      tag: `t${i % 25}`,
      value: 0,
      quality: 'good' as const,
    }));
    const messages = encodeMiniBatch(batchOf(readings), options);
    expect(messages.length).toBe(3);
    expectWholePositions(messages);
    expect(messages.reduce((sum, message) => sum + decode(message).length, 0)).toBe(250_000);
  });

  test('hold neighbours that are too far apart for one body', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const readings = [-most, 0, most - 1].map((index) => ({
      index,
      tag: 'a',
      value: 1,
      quality: 'good' as const,
    }));
    const batch = batchOf(readings, { index: 'sequence', window: { start: -most, end: most } });
    assert.deepStrictEqual(encodeMiniBatch(batch, options).flatMap(decode), readings);
    const twice = batchOf([readings[0]!, readings[2]!], {
      index: 'sequence',
      window: { start: -most, end: most },
    });
    expect(encodeMiniBatch(twice, options).length).toBe(2);
  });
});

describe('readings that cannot be sent', () => {
  const giant = { index: start + 3, tag: 'image', value: randomText(600_000), quality: 'good' as const };

  test('a reading too large for a message is refused by name', () => {
    const readings = [
      ...noise(3, 2),
      giant,
      ...noise(1, 2).map((reading) => ({ ...reading, index: start + 4 })),
    ];
    expect(() => encodeMiniBatch(batchOf(readings), options)).toThrow(
      expect.objectContaining({
        code: 'wire-reading-too-large',
        reading: giant,
        at: 6,
        message: expect.stringContaining('"image"'),
      }),
    );
  });

  test('with onRefused a marker takes its place, and the rest is unharmed', () => {
    const readings = [...noise(3, 2), giant, { ...giant, index: start + 4, tag: 'b', value: Number.NaN }];
    const refused: [string, string][] = [];
    const messages = encodeMiniBatch(batchOf(readings), {
      ...options,
      onRefused: (reading, error) => refused.push([reading.tag, error.code]),
    });
    expect(messages.flatMap(decode)).toEqual([
      ...noise(3, 2),
      { index: start + 3, tag: 'image', value: null, quality: 'bad:too-large' },
      { index: start + 4, tag: 'b', value: null, quality: 'bad:not-encodable' },
    ]);
    expect(refused.sort()).toEqual([
      ['b', 'wire-bad-reading'],
      ['image', 'wire-reading-too-large'],
    ]);
  });

  test('a large reading that compresses well is sent', () => {
    const readings = [{ ...giant, value: 'x'.repeat(1_000_000) }];
    assert.deepStrictEqual(encodeMiniBatch(batchOf(readings), options).flatMap(decode), readings);
    expect(() => encodeMiniBatch(batchOf(readings), { ...options, gzip: false })).toThrow(
      expect.objectContaining({ code: 'wire-reading-too-large' }),
    );
  });

  test('a tag without end is cut in its marker', () => {
    const readings = [{ index: start, tag: 't'.repeat(5000), value: 1, quality: 'good' as const }];
    const messages = encodeMiniBatch(batchOf(readings), { ...options, onRefused: () => {} });
    const [marker] = messages.flatMap(decode);
    expect(marker).toMatchObject({ value: null, quality: 'bad:not-encodable' });
    expect(marker!.tag).toMatch(/^t{1021}\.\.\.$/);
  });
});

describe('mistakes of a caller', () => {
  const inside = { index: start, tag: 'a', value: 1, quality: 'good' as const };
  test.each([
    ['a stream id with a space', batchOf([], { batchId: 'a b' })],
    ['an empty stream id', batchOf([], { batchId: '' })],
    ['a stream id of 129 characters', batchOf([], { batchId: 'x'.repeat(129) })],
    ['an empty window', batchOf([], { window: { start, end: start } })],
    ['a reading before the window', batchOf([{ ...inside, index: start - 1 }])],
    ['a reading at the end of the window', batchOf([{ ...inside, index: start + 10_000 }])],
    ['readings out of order', batchOf([{ ...inside, index: start + 1 }, inside])],
  ])('%s is refused', (_, batch) => {
    expect(() => encodeMiniBatch(batch, options)).toThrow(
      expect.objectContaining({ code: 'wire-bad-batch' }),
    );
  });

  test('a limit outside of what hubs take, and a request id that no property holds, are refused', () => {
    for (const maxBytes of [4095, maxMessageBytes + 1, Number.NaN]) {
      expect(() => encodeMiniBatch(batchOf([]), { ...options, maxBytes })).toThrow(
        expect.objectContaining({ code: 'wire-bad-batch' }),
      );
    }
    for (const requestId of ['', 'a b', 'é', 'x'.repeat(129)]) {
      expect(() => encodeMiniBatch(batchOf([]), { ...options, mark: { requestId } })).toThrow(
        expect.objectContaining({ code: 'wire-bad-batch' }),
      );
    }
  });
});

describe('voids', () => {
  test('declare any range of any stream, and are read back', () => {
    const anyVoid = anyIndexKind.chain((index) =>
      fc.record({
        batchId: anyBatchId,
        index: fc.constant(index),
        window: anyWindow(index),
        reason: fc.constantFrom(...voidReasons),
      }),
    );
    fc.assert(
      fc.property(anyVoid, fc.option(anyRequestId, { nil: undefined }), (declaration, requestId) => {
        const message = encodeVoid(declaration, {
          creationTime: 1,
          ...(requestId && { mark: { requestId } }),
        });
        expect(message.body.length).toBe(0);
        expect(message.messageId.length).toBeLessThanOrEqual(128);
        const parsed = parseMessage(message.properties, message);
        expect(parsed).toMatchObject({
          kind: 'void',
          batchId: declaration.batchId,
          reason: declaration.reason,
        });
        expect('window' in parsed && parsed.window).toEqual(positive(declaration.window));
        expect(parsed.requestId).toBe(requestId);
      }),
    );
  });

  test('never have the id of data for the same window', () => {
    const [data] = encodeMiniBatch(batchOf([]), options);
    const voided = encodeVoid({ ...batchOf([]), reason: 'evicted' }, options);
    expect(voided.messageId).toBe(`${data!.messageId};v`);
    expect(markAsBackfill(voided, longestMark).messageId).not.toBe(
      markAsBackfill(data!, longestMark).messageId,
    );
  });
});

describe('marking as backfill', () => {
  test('changes properties and id, shares the body, and leaves the original alone', () => {
    const [message] = encodeMiniBatch(batchOf(noise(2, 2)), options);
    const before = structuredClone(message!.properties);
    const marked = markAsBackfill(message!, { requestId: 'r-1' });
    expect(marked.body).toBe(message!.body);
    expect(message!.properties).toEqual(before);
    expect(marked.properties).toEqual({ ...before, isBackfill: 'true', requestId: 'r-1' });
  });

  test('a second mark replaces the first', () => {
    const [message] = encodeMiniBatch(batchOf([]), options);
    const twice = markAsBackfill(markAsBackfill(message!, { requestId: 'r-1' }), { requestId: 'r-2' });
    expect(twice).toEqual(markAsBackfill(message!, { requestId: 'r-2' }));
  });
});

describe('message ids', () => {
  test('of long stream ids stay within IoT Hub`s 128 characters, and apart', () => {
    const long = 'line'.repeat(31);
    const window = { start: -8_000_000_000_000_000, end: 8_000_000_000_000_000 };
    const ids = ['1', '2'].map(
      (last) => encodeMiniBatch(batchOf([], { batchId: long + last, window }), options)[0]!.messageId,
    );
    expect(ids[0]).not.toBe(ids[1]);
    for (const id of ids) {
      expect(id.length).toBeLessThanOrEqual(126);
      expect(id.startsWith('linelineline')).toBe(true);
    }
  });
});

test('a message is counted as IoT Hub counts: body, system values, property names and values', () => {
  const message: WireMessage = {
    messageId: 'ab',
    properties: { batchId: 'x', part: '1/2' },
    contentEncoding: 'gzip',
    creationTime: 1,
    body: new Uint8Array(10),
  };
  const system =
    'ab'.length + 'application/json'.length + 'gzip'.length + '2026-11-21T22:20:00.0000000Z'.length;
  expect(messageBytes(message)).toBe(10 + system + 'batchIdx'.length + 'part1/2'.length);
});

/** No index position stands in two messages. */
function expectWholePositions(messages: readonly WireMessage[]): void {
  const spans = messages
    .map((message) => decode(message))
    .map((list) => [list[0]!.index, list.at(-1)!.index] as const);
  for (let i = 1; i < spans.length; i++) expect(spans[i]![0]).toBeGreaterThan(spans[i - 1]![1]);
}

function positive({ start, end }: Window): Window {
  return { start: start === 0 ? 0 : start, end: end === 0 ? 0 : end };
}

function randomText(length: number): string {
  const random = seededRandom(7);
  return Array.from({ length }, () => String.fromCharCode(33 + Math.floor(random.next() * 90))).join('');
}

describe('readings that came late', () => {
  const late = { series: '3f2a91c4', number: 17 };
  const lateOf = (value: number, number = 17) => {
    const readings = [{ index: start, tag: 't', value, quality: 'good' as const }];
    const one = batchOf(readings, { window: { start, end: start + 1 } });
    return encodeMiniBatch(one, { ...options, late: { ...late, number } })[0]!;
  };

  test('say so, with their number, and are read back as no claim', () => {
    const message = lateOf(1);
    expect(message.properties).toMatchObject({
      isBackfill: 'true',
      isLate: 'true',
      lateNumber: '3f2a91c4.17',
    });
    expect(message.properties).not.toHaveProperty('requestId');
    const parsed = parseMessage(message.properties, message);
    expect(parsed).toMatchObject({ kind: 'late', late, window: { start, end: start + 1 }, count: 1 });
  });

  test('stay so as an answer to a request', () => {
    const answer = markAsBackfill(lateOf(1), { requestId: 'r-1' });
    expect(parseMessage(answer.properties, answer)).toMatchObject({ kind: 'late', late, requestId: 'r-1' });
    expect(answer.messageId).toBe(lateOf(1).messageId);
  });

  test('have ids of their own where others came late for the same positions, and the same id when sent twice', () => {
    expect(lateOf(1).messageId).toMatch(/;l3f2a91c4\.17\.[0-9a-f]{8};b$/);
    expect(lateOf(1).messageId).toBe(lateOf(1).messageId);
    expect(lateOf(1).messageId).not.toBe(lateOf(2).messageId);
    expect(lateOf(1).messageId).not.toBe(lateOf(1, 18).messageId);
  });

  test('are parts where they do not fit into one message, each within the limit', () => {
    const messages = encodeMiniBatch(batchOf(noise(1200, 50)), { ...options, late });
    expect(messages.length).toBeGreaterThan(1);
    for (const message of messages) {
      expect(messageBytes(markAsBackfill(message, longestMark))).toBeLessThanOrEqual(maxMessageBytes);
      expect(parseMessage(message.properties, message)).toMatchObject({ kind: 'late', late });
    }
  });

  test('say where their stream began, where they claim anything', () => {
    const [window] = encodeMiniBatch(batchOf([]), { ...options, streamStart: 5 });
    const voided = encodeVoid({ ...batchOf([]), reason: 'evicted' }, { creationTime: 1, streamStart: 5 });
    for (const message of [window!, voided]) {
      expect(message.properties.streamStart).toBe('5');
      expect(parseMessage(message.properties, message)).toMatchObject({ streamStart: 5 });
    }
    const late = { series: 'ab', number: 1 };
    const [added] = encodeMiniBatch(batchOf([]), { ...options, late, streamStart: 5 });
    expect(added!.properties).not.toHaveProperty('streamStart');
    expect(() => encodeMiniBatch(batchOf([]), { ...options, streamStart: 0.5 })).toThrow(
      'start of the stream',
    );
  });

  test('are announced by what comes later', () => {
    const [window] = encodeMiniBatch(batchOf([]), { ...options, lateThrough: late });
    const voided = encodeVoid({ ...batchOf([]), reason: 'evicted' }, { creationTime: 1, lateThrough: late });
    for (const message of [window!, voided]) {
      expect(parseMessage(message.properties, message)).toMatchObject({ lateThrough: late });
    }
  });

  test('that are lost are declared by their numbers, without a window', () => {
    const lost = { series: '3f2a91c4', first: 3, last: 9 };
    const about = { batchId: 'b'.repeat(128), index: 'sequence', late: lost, reason: 'evicted' } as const;
    const message = encodeLateVoid(about, { creationTime: 1, mark: { requestId: 'r-1' } });
    expect(message.messageId.length).toBeLessThanOrEqual(128);
    expect(message.properties).not.toHaveProperty('startWindow');
    expect(parseMessage(message.properties, message)).toEqual({
      kind: 'late-void',
      ...about,
      isBackfill: true,
      requestId: 'r-1',
      messageId: message.messageId,
    });
  });

  test('without a number that can be are a caller`s mistake', () => {
    for (const number of [0, -1, 1.5, Number.NaN]) {
      expect(() => lateOf(1, number)).toThrow(expect.objectContaining({ code: 'wire-bad-batch' }));
    }
    const backwards = { series: '', first: 2, last: 1 };
    const about = { batchId: 'b', index: 'time', late: backwards, reason: 'evicted' } as const;
    expect(() => encodeLateVoid(about, { creationTime: 1 })).toThrow(
      expect.objectContaining({ code: 'wire-bad-batch' }),
    );
  });
});
