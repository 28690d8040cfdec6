import { describe, expect, test } from 'vitest';
import { parseBoundedJson } from './json.ts';
import { maxBodyNodes, maxReadingsPerMessage, maxUnpackedBytes } from './limits.ts';

const parse = (text: string) => parseBoundedJson(Buffer.from(text));
const refusal = expect.objectContaining({ code: 'wire-bad-body' });

describe('bounds', () => {
  test('nesting is taken up to the bound, and not past it', () => {
    const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    expect(() => parse(nested(36))).not.toThrow();
    expect(() => parse(nested(37))).toThrow(refusal);
    expect(() => parse(`${'{"a":'.repeat(37)}1${'}'.repeat(37)}`)).toThrow(refusal);
    // One after the other is not one inside the other.
    expect(parse(`[${new Array(1000).fill('[[]]').join()}]`)).toHaveLength(1000);
  });

  test('elements are taken up to the bound, and not past it', () => {
    const elements = maxBodyNodes + 16 * maxReadingsPerMessage;
    // One bracket, and a comma for each element after the first.
    expect(parse(`[${'1,'.repeat(elements - 1)}1]`)).toHaveLength(elements);
    expect(() => parse(`[${'1,'.repeat(elements)}1]`)).toThrow(refusal);
    expect(() => parse(`[${'[],'.repeat(elements / 2)}1]`)).toThrow(refusal);
  });

  test('bytes are taken up to the bound, and not past it', () => {
    expect(parse(`"${'x'.repeat(maxUnpackedBytes - 2)}"`)).toHaveLength(maxUnpackedBytes - 2);
    expect(() => parse(`"${'x'.repeat(maxUnpackedBytes - 1)}"`)).toThrow(refusal);
  });
});

test('brackets and commas inside of texts are text, whatever is escaped around them', () => {
  for (const text of [
    '['.repeat(100),
    `"${'{'.repeat(100)}`,
    `\\"${'['.repeat(100)}\\`,
    '\\',
    '"',
    '\\\\"[',
  ]) {
    expect(parse(JSON.stringify({ [text]: text }))).toEqual({ [text]: text });
  }
  expect(() => parse(`["\\\\",${'['.repeat(100)}`)).toThrow(refusal);
});

test.each(['', ' ', '"', '"\\', '[', ']', '{"a"}', 'NaN', '[1,]', "{'a':1}", '\u0000'])(
  '%j is no JSON',
  (text) => {
    expect(() => parse(text)).toThrow(refusal);
  },
);

test('what is no UTF-8 is refused, not repaired', () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc3, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
  ]) {
    expect(() => parseBoundedJson(Uint8Array.from(bytes))).toThrow(refusal);
  }
});
