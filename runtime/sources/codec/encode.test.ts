import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../../wire/reading.ts';
import { type Coding, compileDecoder } from './decode.ts';
import { encodeValue } from './encode.ts';
import { byteOrders } from './fields.ts';

const encode = (coding: Partial<Coding> & Pick<Coding, 'type'>, value: Value) =>
  encodeValue({ order: 'ABCD', ...coding }, value);
const hex = (coding: Partial<Coding> & Pick<Coding, 'type'>, value: Value) => {
  const encoded = encode(coding, value);
  return encoded.ok ? encoded.bytes.toString('hex') : encoded.problem;
};

describe('encoding', () => {
  it.each([
    [{ type: 'uint16' }, 258, '0102'],
    [{ type: 'int16' }, -2, 'fffe'],
    [{ type: 'uint16', order: 'BADC' }, 258, '0201'],
    [{ type: 'uint32', order: 'CDAB' }, 65_538, '00020001'],
    [{ type: 'float32' }, 25, '41c80000'],
    [{ type: 'float32', order: 'DCBA' }, 25, '0000c841'],
    [{ type: 'int16', scale: 0.1 }, 12.34, '007b'],
    [{ type: 'int16', scale: 0.1, add: -40 }, -39.5, '0005'],
    [{ type: 'bcd16' }, 1234, '1234'],
    [{ type: 'uint64' }, '18446744073709551615', 'ffffffffffffffff'],
    [{ type: 'string', length: 4 }, 'ab', '61620000'],
    [{ type: 'string', length: 4, order: 'BADC' }, 'abcd', '62616463'],
    [{ type: 'bool' }, true, '01'],
    [{ type: 'uint16', names: { 3: 'auto' } }, 'auto', '0003'],
  ] as const)('%j of %s', (coding, value, expected) => {
    expect(hex(coding, value)).toBe(expected);
  });

  it.each([
    [{ type: 'uint16' }, -1, /from 0 to 65535/],
    [{ type: 'uint16' }, 65_536, /from 0 to 65535/],
    [{ type: 'int16', scale: 0.1 }, 4000, /from -3276.8 to 3276.7/],
    [{ type: 'uint16' }, 1.5, /a whole number/],
    [{ type: 'uint16' }, '7', undefined],
    [{ type: 'uint16' }, 'seven', /a whole number/],
    [{ type: 'uint16' }, null, /a whole number/],
    [{ type: 'float32' }, 1e39, /within the range of float32/],
    [{ type: 'float32' }, 'x', /a finite number/],
    [{ type: 'bcd16' }, 10_000, /from 0 to 9999/],
    [{ type: 'string', length: 2 }, 'abc', /at most 2 bytes/],
    [{ type: 'string', length: 4 }, '€', /latin1 can hold/],
    [{ type: 'string', length: 4 }, 5, /text/],
    [{ type: 'bool' }, 'on', /true or false/],
    [{ type: 'bit', bit: 2 }, true, /whole register/],
  ] as const)('%j of %s is refused with what would be right', (coding, value, expected) => {
    const encoded = encode(coding, value);
    if (expected === undefined) expect(encoded.ok).toBe(true);
    else expect(encoded.ok ? 'taken' : encoded.problem).toMatch(expected);
  });

  it('is undone by decoding, for every whole number type, order and value', () => {
    const types = ['int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'float64'] as const;
    const coding = fc.record({ type: fc.constantFrom(...types), order: fc.constantFrom(...byteOrders) });
    fc.assert(
      fc.property(coding, fc.integer(), (shape, value) => {
        const encoded = encodeValue(shape, value);
        if (encoded.ok) expect(compileDecoder(shape)(encoded.bytes, 0)).toBe(value === 0 ? 0 : value);
        else
          expect(shape.type.startsWith('u') ? value < 0 || value > 65_535 : Math.abs(value) > 32_767).toBe(
            true,
          );
      }),
    );
  });

  it('never throws, whatever the value', () => {
    const coding = fc.record({
      type: fc.constantFrom('int16', 'uint64', 'float32', 'string', 'bool', 'bit', 'bcd32') as fc.Arbitrary<
        Coding['type']
      >,
      order: fc.constantFrom(...byteOrders),
      length: fc.integer({ min: 1, max: 20 }),
      scale: fc.double(),
      add: fc.double(),
    });
    fc.assert(
      fc.property(coding, fc.jsonValue(), (shape, value) => {
        const encoded = encodeValue(shape, value as Value);
        expect(encoded.ok ? encoded.bytes.length : encoded.problem.length).toBeGreaterThan(0);
      }),
    );
  });
});
