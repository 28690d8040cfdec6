import { describe, expect, test } from 'vitest';
import { maxMessageBytes, messageIdProblem, messageSize, methodNameProblem, refusal } from './limits.ts';

const message = (bodyBytes: number, properties: Record<string, unknown> = {}) => ({
  bodyBytes,
  properties,
  system: { messageId: 'id-1', contentType: 'application/json' },
});
const systemBytes = 'id-1'.length + 'application/json'.length;

describe('a message', () => {
  test('counts its body, its property names and values, and its system property values', () => {
    expect(messageSize(message(100, { batchId: 'press', count: 12 }))).toBe(
      100 + systemBytes + 'batchIdpress'.length + 'count12'.length,
    );
  });

  test('of exactly the limit passes, one byte more does not', () => {
    const fits = maxMessageBytes - systemBytes;
    expect(refusal(message(fits))).toBeUndefined();
    expect(refusal(message(fits + 1))?.condition).toBe('amqp:link:message-size-exceeded');
  });

  test.each([
    ['a name', { größe: '1' }],
    ['a value', { size: 'größe' }],
    ['an empty name', { '': '1' }],
    ['a value that is an object', { a: { b: 1 } }],
  ])('is refused for %s', (_, properties) => {
    expect(refusal(message(1, properties))?.condition).toBe('com.microsoft:argument-error');
  });

  test('may have times, paths and JSON as property values: AMQP is freer than HTTPS', () => {
    expect(
      refusal(message(1, { at: '2026-11-21T22:20:00.000Z', path: 'a/b', json: '{"a": 1}' })),
    ).toBeUndefined();
  });
});

test('method names: printable US-ASCII without separators', () => {
  for (const name of ['backfill', 'getBackfill', 'a.b_c-d~1'])
    expect(methodNameProblem(name), name).toBeUndefined();
  for (const name of ['', 'a b', 'a/b', 'a:b', 'a{b}', 'größe', 'a\tb', 'a$b', '"a"', 'a,b'])
    expect(methodNameProblem(name), name).toMatch(/not allowed/);
});

test('message ids: 128 characters of a set without slash or space', () => {
  expect(messageIdProblem(undefined)).toBeUndefined();
  expect(messageIdProblem(`press:1-2${'x'.repeat(119)}`)).toBeUndefined();
  expect(messageIdProblem('x'.repeat(129))).toMatch(/128/);
  expect(messageIdProblem('press/1-2')).toMatch(/not allowed/);
});
