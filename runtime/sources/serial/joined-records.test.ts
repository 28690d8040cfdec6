import { describe, expect, it } from 'vitest';
import { serialSourceSchema } from './config.ts';
import { liveMessages } from './message-reader.ts';

const readme = { fields: { pattern: '^(?<weight>[-+ .0-9]+) kg' }, tags: [{ name: 'weight' }] };
const anywhere = { fields: { pattern: '(?<weight>[.0-9]+) kg' }, tags: [{ name: 'weight' }] };
const columns = {
  fields: { separator: ',' },
  tags: [
    { name: 'a', column: 0 },
    { name: 'b', column: 1 },
  ],
};
const characters = {
  fields: {},
  tags: [
    { name: 'a', from: 0, length: 4 },
    { name: 'b', from: 5, length: 4 },
  ],
};
const numbered = {
  fields: { separator: ',' },
  stamp: { number: { column: 0, first: 1, last: 9999, maxJump: 100 } },
  tags: [{ name: 'a', column: 1 }],
};

/** What becomes of each message: the values of its record, or why there is none. */
function readAll(layout: object, messages: readonly string[], more: object = {}) {
  const config = serialSourceSchema.parse({ type: 'serial', name: 's', path: '/dev/x', ...layout, ...more });
  const { read } = liveMessages(config);
  return messages.map((text) => {
    const message = read(Buffer.from(text));
    if (message.kind === 'record') return message.record.values.map(({ value }) => value).join(' ');
    return message.kind === 'damaged' ? message.why : message.kind;
  });
}

const joined = 'serial-joined';

describe('a message without a check sum', () => {
  it.each([
    ['a pattern', readme, ['1 kg', '2 kg3 kg', '4 kg'], ['1', joined, '4']],
    ['a pattern, half of the end left', readme, ['1 kg', '2 kg\r3 kg', '4 kg'], ['1', joined, '4']],
    ['columns', columns, ['11,21', '12,2213,23', '14,24'], ['11 21', joined, '14 24']],
    [
      'columns, half of the end left',
      columns,
      ['11,21', '12,22\r13,23', '14,24'],
      ['11 21', joined, '14 24'],
    ],
    [
      'characters',
      characters,
      ['1.10 2.10', '1.20 2.201.30 2.30', '1.40 2.40'],
      ['1.1 2.1', joined, '1.4 2.4'],
    ],
    ['a number and columns', numbered, ['1,11', '2,123,13', '4,14'], ['11', joined, '14']],
    ['three records', columns, ['11,21', '12,2213,2314,24', '15,25'], ['11 21', joined, '15 25']],
  ])('is no record where it is two, by %s', (_by, layout, messages, expected) => {
    const got = readAll(layout, messages);
    expect(got.map((each) => each.replace('serial-unmatched', joined))).toEqual(expected);
  });

  it.each([
    ['that say more than is read', columns, ['1,22,3', '4,55,6', '7,88,9'], [joined, '4 55', '7 88']],
    ['of which each has two matches', anywhere, ['1.5 kg 2 kg', '1.6 kg 2 kg'], [joined, '1.6']],
    ['whose values grow', readme, ['9 kg', '10 kg', '1000.55 kg'], ['9', '10', '1000.55']],
    ['whose columns grow', columns, ['1,2', '10,200', '1000,20000'], ['1 2', '10 200', '1000 20000']],
    [
      'with text that varies behind',
      characters,
      ['1.10 2.10', '1.20 2.20 steady', '1.30 2.30 !'],
      ['1.1 2.1', '1.2 2.2', '1.3 2.3'],
    ],
  ])(
    'is believed of instruments %s, at the second one at the latest',
    (_what, layout, messages, expected) => {
      expect(readAll(layout, messages)).toEqual(expected);
    },
  );

  it('is believed to be larger from now on when it has come three times in a row', () => {
    const messages = ['1,2', '3,44,5', '3,44,6', '3,44,7', '3,44,8', '1,2'];
    expect(readAll(columns, messages)).toEqual(['1 2', joined, joined, '3 44', '3 44', '1 2']);
  });
});

it('a message with a check sum is one', () => {
  const checksum = { kind: 'xor', form: 'hex' };
  expect(readAll(columns, ['1,2', '1,22,3'], { checksum })).toEqual(['1 2', '1 22']);
});
