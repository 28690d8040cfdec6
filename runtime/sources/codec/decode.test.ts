import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Coding, compileDecoder, toEpochMs } from './decode.ts';
import { type ByteOrder, byteOrders, type NumberType, numberTypes, valueTypes, widthOf } from './fields.ts';

const decode = (hex: string, coding: Partial<Coding> & Pick<Coding, 'type'>, at = 0) =>
  compileDecoder({ order: 'ABCD', ...coding })(Buffer.from(hex, 'hex'), at);

describe('decoding', () => {
  // The bytes of one value in the four orders, written out by hand.
  it.each([
    ['float32', '41c80000', 25],
    ['float32', '000041c8', 25, 'CDAB'],
    ['float32', 'c8410000', 25, 'BADC'],
    ['float32', '0000c841', 25, 'DCBA'],
    ['int32', 'fffffffe', -2],
    ['uint32', '00010002', 65_538],
    ['uint32', '00020001', 65_538, 'CDAB'],
    ['uint32', '01000200', 65_538, 'BADC'],
    ['uint32', '02000100', 65_538, 'DCBA'],
    ['int16', 'fffe', -2],
    ['int16', 'feff', -2, 'BADC'],
    ['uint16', '0102', 258],
    ['uint16', '0102', 258, 'CDAB'],
    ['uint16', '0102', 513, 'DCBA'],
    ['uint64', '0000018bcfe56801', 1_700_000_000_001],
    ['uint64', '6801cfe5018b0000', 1_700_000_000_001, 'CDAB'],
    ['uint64', '0168e5cf8b010000', 1_700_000_000_001, 'DCBA'],
    ['int64', 'ffffffffffffffff', -1],
    ['float64', '4009 21fb 5444 2d18', Math.PI],
    ['float64', '2d18 5444 21fb 4009', Math.PI, 'CDAB'],
  ] as readonly [NumberType, string, number, ByteOrder?][])(
    '%s from %s',
    (type, hex, expected, order = 'ABCD') => {
      expect(decode(hex.replaceAll(' ', ''), { type, order })).toBe(expected);
    },
  );

  it('reads a value in the middle of a block', () => {
    expect(decode('ffffffff0007ffff', { type: 'uint16' }, 2)).toBe(7);
  });

  it('gives integers beyond 2^53 as decimal strings, exactly', () => {
    expect(decode('0020000000000000', { type: 'uint64' })).toBe('9007199254740992');
    expect(decode('001fffffffffffff', { type: 'uint64' })).toBe(Number.MAX_SAFE_INTEGER);
    expect(decode('ffffffffffffffff', { type: 'uint64' })).toBe('18446744073709551615');
    expect(decode('8000000000000000', { type: 'int64' })).toBe('-9223372036854775808');
    expect(decode('ffe0000000000001', { type: 'int64' })).toBe(Number.MIN_SAFE_INTEGER);
    expect(decode('ffe0000000000000', { type: 'int64' })).toBe('-9007199254740992');
  });

  it.each(['7fc00000', '7f800000', 'ff800000', '7f800001'])('gives no value for the float %s', (hex) => {
    expect(decode(hex, { type: 'float32' })).toBeUndefined();
  });

  it('knows no negative zero, which JSON has not', () => {
    expect(Object.is(decode('80000000', { type: 'float32' }), 0)).toBe(true);
    expect(Object.is(decode('0000', { type: 'int16', scale: -1 }), 0)).toBe(true);
  });

  it('scales in decimal, then adds', () => {
    expect(decode('0003', { type: 'int16', scale: 0.1 })).toBe(0.3);
    expect(decode('ffff', { type: 'int16', scale: 0.01, add: 100 })).toBe(99.99);
    expect(decode('0005', { type: 'int16', scale: 2.5, add: -1 })).toBe(11.5);
    expect(decode('ffffffffffffffff', { type: 'uint64', scale: 0.5 })).toBe(2 ** 63);
  });

  it('gives no value where scaling leaves the range of numbers', () => {
    expect(decode('7fefffffffffffff', { type: 'float64', scale: 10 })).toBeUndefined();
  });

  it('reads binary coded decimals, and gives no value for digits beyond nine', () => {
    expect(decode('1234', { type: 'bcd16' })).toBe(1234);
    expect(decode('3412', { type: 'bcd16', order: 'BADC' })).toBe(1234);
    expect(decode('56781234', { type: 'bcd32', order: 'CDAB' })).toBe(12_345_678);
    expect(decode('0125', { type: 'bcd16', scale: 0.1 })).toBe(12.5);
    expect(decode('12a4', { type: 'bcd16' })).toBeUndefined();
  });

  it('names values, and leaves those without a name as text', () => {
    const names = { 0: 'stopped', 1: 'running', '-1': 'fault' };
    expect(decode('0001', { type: 'int16', names })).toBe('running');
    expect(decode('ffff', { type: 'int16', names })).toBe('fault');
    expect(decode('0007', { type: 'int16', names })).toBe('7');
    expect(decode('0002', { type: 'bit', bit: 1, names })).toBe('running');
    expect(compileDecoder({ type: 'bool', order: 'ABCD', names })(Buffer.from([0]), 3)).toBe('stopped');
  });

  it('reads bits of a register, and of a table of bits', () => {
    expect(decode('8001', { type: 'bit', bit: 0 })).toBe(true);
    expect(decode('8001', { type: 'bit', bit: 15 })).toBe(true);
    expect(decode('8001', { type: 'bit', bit: 7 })).toBe(false);
    expect(decode('0180', { type: 'bit', bit: 15, order: 'BADC' })).toBe(true);
    const coils = compileDecoder({ type: 'bool', order: 'ABCD' });
    const bytes = Buffer.from([0b0000_0100, 0b0000_0010]);
    expect([0, 1, 2, 9, 15].map((at) => coils(bytes, at))).toEqual([false, false, true, true, false]);
  });

  it('reads strings up to the first NUL or their length', () => {
    const hex = Buffer.from('PUMP-7\0\0rest').toString('hex');
    expect(decode(hex, { type: 'string', length: 12 })).toBe('PUMP-7');
    expect(decode(hex, { type: 'string', length: 3 })).toBe('PUM');
    expect(decode(Buffer.from('UPPM').toString('hex'), { type: 'string', length: 4, order: 'BADC' })).toBe(
      'PUMP',
    );
    expect(decode('b0430000', { type: 'string', length: 4 })).toBe('°C');
    expect(decode('c2b04300', { type: 'string', length: 4, encoding: 'utf8' })).toBe('°C');
    expect(decode('ff00', { type: 'string', length: 2, encoding: 'utf8' })).toBeUndefined();
  });

  it('reads back what was written, for every type and order', () => {
    const cases = fc
      .record({ type: fc.constantFrom(...numberTypes), order: fc.constantFrom(...byteOrders), at: fc.nat(4) })
      .chain((c) => anyValueOf(c.type).map((value) => ({ ...c, value })));
    fc.assert(
      fc.property(cases, ({ type, order, at, value }) => {
        const size = 2 * widthOf(type);
        const bytes = Buffer.alloc(2 * at + size, 0xee);
        write(type, value).forEach((byte, i) => {
          bytes[2 * at + placeOf(i, size, order)] = byte;
        });
        const expected =
          Number.isSafeInteger(Number(value)) || type.startsWith('f') ? Number(value) : String(value);
        expect(compileDecoder({ type, order })(bytes, at)).toEqual(expected === 0 ? 0 : expected);
      }),
    );
  });

  it('neither crashes nor hangs on 10,000 random byte strings', () => {
    const coding = fc.record({
      type: fc.constantFrom(...valueTypes),
      order: fc.constantFrom(...byteOrders),
      bit: fc.nat(15),
      length: fc.integer({ min: 1, max: 250 }),
      encoding: fc.constantFrom('latin1' as const, 'utf8' as const),
      scale: fc.double(),
      add: fc.double(),
    });
    fc.assert(
      fc.property(coding, fc.uint8Array({ maxLength: 600 }), fc.nat(300), (shape, bytes, at) => {
        try {
          const value = compileDecoder(shape)(Buffer.from(bytes), at);
          // Whatever comes out is what JSON can hold, unchanged.
          if (value !== undefined && !Object.is(JSON.parse(JSON.stringify(value)), value))
            throw new Error(`${value}`);
        } catch (error) {
          expect(error).toMatchObject({ code: 'modbus-garbage' });
        }
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('timestamps', () => {
  it.each([
    [1_700_000_000, 's', 1_700_000_000_000],
    [1_700_000_000_123, 'ms', 1_700_000_000_123],
    [1_700_000_000_123_999, 'us', 1_700_000_000_123],
    ['1700000000123999999', 'ns', 1_700_000_000_123],
    [1_700_000_000.5, 's', 1_700_000_000_500],
  ] as const)('%s %s is %s', (raw, unit, expected) => {
    expect(toEpochMs(raw, unit)).toBe(expected);
  });

  it.each([
    [0, 'ms'],
    [-5, 's'],
    [9_000_000_000_000_000, 'ms'],
    ['18446744073709551615', 'ms'],
    ['18446744073709551615', 'us'],
    [undefined, 's'],
  ] as const)('%s %s is no time', (raw, unit) => {
    expect(toEpochMs(raw, unit)).toBeUndefined();
  });
});

function anyValueOf(type: NumberType): fc.Arbitrary<number | bigint> {
  switch (type) {
    case 'float32':
      return fc.float({ noNaN: true, noDefaultInfinity: true });
    case 'float64':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case 'uint64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case 'bcd16':
      return fc.nat(9999);
    case 'bcd32':
      return fc.nat(99_999_999);
    default: {
      const bits = 16 * widthOf(type);
      const signed = type.startsWith('int');
      return signed
        ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
        : fc.integer({ min: 0, max: 2 ** bits - 1 });
    }
  }
}

/** Most significant byte first. */
function write(type: NumberType, value: number | bigint): Buffer {
  const bytes = Buffer.alloc(2 * widthOf(type));
  if (type === 'float32') bytes.writeFloatBE(Number(value));
  else if (type === 'float64') bytes.writeDoubleBE(Number(value));
  else if (type.startsWith('bcd')) bytes.write(String(value).padStart(bytes.length * 2, '0'), 'hex');
  else {
    const size = BigInt(bytes.length * 8);
    const unsigned = BigInt.asUintN(Number(size), BigInt(value));
    bytes.write(unsigned.toString(16).padStart(bytes.length * 2, '0'), 'hex');
  }
  return bytes;
}

/** Where byte `at` (0 the most significant) lies: told by register and half, not by the decoder's own table. */
function placeOf(at: number, size: number, order: string): number {
  const registers = size / 2;
  const register = Math.floor(at / 2);
  const reversed = order === 'CDAB' || order === 'DCBA';
  const swapped = order === 'BADC' || order === 'DCBA';
  const base = 2 * (reversed ? registers - 1 - register : register);
  return at % 2 === 0 ? base + (swapped ? 1 : 0) : base + (swapped ? 0 : 1);
}
