// What passes for a value and is none: marks of overflow, padding, numbers cut off at the edge of their place.
import { describe, expect, it } from 'vitest';
import { compileLayout, liveLayout } from './record-layout.ts';
import { parseSource } from './testing/set-up.ts';

function read(config: object, content: string | Buffer) {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  const decoded = compileLayout(liveLayout(parseSource(config)))(bytes);
  if (decoded.kind !== 'record') return decoded.kind;
  return decoded.values.map(({ value, quality }) => (quality === 'good' ? value : quality)).join();
}

const column = (tag: object, fields: object = {}) => ({
  fields: { separator: ';', ...fields },
  tags: [{ name: 'a', column: 0, ...tag }],
});
const bytesAt = (tag: object) => ({
  framing: { kind: 'fixed', length: 8 },
  tags: [{ name: 'a', at: 0, ...tag }],
});

describe('marks of no value in text', () => {
  const marked = { invalid: { OL: 'over-range', 9999: 'no-sensor', '-50..-40': 'under-range' } };

  it.each([
    ['OL', 'bad:over-range'],
    [' OL ', 'bad:over-range'],
    ['9999', 'bad:no-sensor'],
    ['9999.0', 'bad:no-sensor'],
    ['+09999', 'bad:no-sensor'],
    ['-45.5', 'bad:under-range'],
    ['9998', '9998'],
    ['ol', 'bad:not-a-number'],
  ])('%j is what it is meant to be: %s', (text, meant) => {
    expect(read(column(marked), `${text};x`)).toBe(meant);
  });

  it('are compared before the value is scaled', () => {
    expect(read(column({ ...marked, scale: 0.1 }), '9999;')).toBe('bad:no-sensor');
    expect(read(column({ ...marked, scale: 0.1 }), '99990;')).toBe('9999');
  });

  it('are digits of any case and with any prefix in hexadecimal', () => {
    const hex = { type: 'hex', invalid: { FFFF: 'no-sensor' } };
    for (const text of ['FFFF', 'ffff', '0xFFFF', 'FFFFh'])
      expect(read(column(hex), text)).toBe('bad:no-sensor');
    expect(read(column(hex), 'FFFE')).toBe('65534');
  });

  it('that SCPI has are known without being named', () => {
    expect(read(column({}), '+9.9E+37')).toBe('bad:over-range');
    expect(read(column({}), '-9.90000000E+37')).toBe('bad:over-range');
    expect(read(column({}), '9.91E37')).toBe('bad:not-a-number');
    expect(read(column({}), '9.8E37')).toBe(String(9.8e37));
  });
});

describe('marks of no value in bytes', () => {
  it.each([
    ['int16', { '0x8000': 'no-sensor' }, '8000', 'bad:no-sensor'],
    ['int16', { '-32768': 'no-sensor' }, '8000', 'bad:no-sensor'],
    ['int16', { '0x8000': 'no-sensor' }, '8001', '-32767'],
    ['uint16', { '30000..0xFFFF': 'over-range' }, '7530', 'bad:over-range'],
    ['uint16', { '30000..0xFFFF': 'over-range' }, '752f', '29999'],
    ['int8', { '0x80': 'no-sensor' }, '80', 'bad:no-sensor'],
    ['uint8', { 255: 'no-sensor' }, 'ff', 'bad:no-sensor'],
    ['uint64', { '0xFFFFFFFFFFFFFFFF': 'no-sensor' }, 'ffffffffffffffff', 'bad:no-sensor'],
    ['uint64', { '0xFFFFFFFFFFFFFFFF': 'no-sensor' }, 'fffffffffffffffe', '18446744073709551614'],
    ['float32', { '-999.5': 'no-sensor' }, 'c479e000', 'bad:no-sensor'],
    ['bcd16', { 9999: 'no-sensor' }, '9999', 'bad:no-sensor'],
  ])('%s, %j: %s is %s', (type, invalid, hex, meant) => {
    expect(read(bytesAt({ type, invalid, order: 'big' }), Buffer.from(hex, 'hex'))).toBe(meant);
  });

  it('that can never be shown are refused with the configuration', () => {
    expect(() => parseSource(bytesAt({ type: 'int16', invalid: { OVER: 'over-range' } }))).toThrow(
      /no value in bytes/,
    );
    expect(() => parseSource(bytesAt({ type: 'int16', invalid: { '9..1': 'over-range' } }))).toThrow(
      /no value in bytes/,
    );
    expect(() => parseSource(bytesAt({ type: 'bit', bit: 1, invalid: { 1: 'no-sensor' } }))).toThrow(
      /single bits/,
    );
  });
});

describe('a text', () => {
  const text = { type: 'string' };

  it('ends where its padding begins, and is none where something stands behind a NUL', () => {
    expect(read(column(text), 'AB\0\0 ;x')).toBe('AB');
    expect(read(column(text), 'A\0B;x')).toBe('bad:not-text');
    expect(read(bytesAt({ ...text, length: 4 }), Buffer.from('AB\0x'))).toBe('AB');
    expect(read(bytesAt({ ...text, length: 4 }), Buffer.from('\0A\0B'))).toBe('bad:not-text');
    expect(read(bytesAt({ ...text, length: 4 }), Buffer.from('ffffffff', 'hex'))).toBe('bad:not-text');
    expect(read(bytesAt({ ...text, length: 4 }), Buffer.alloc(4))).toBe('');
  });

  it('with bytes that are no character of its encoding is none', () => {
    expect(read(column(text, { encoding: 'utf8' }), Buffer.from('c3a4bc', 'hex'))).toBe('bad:not-text');
    expect(read(column(text, { encoding: 'utf8' }), Buffer.from('ä'))).toBe('ä');
  });
});

describe('a number', () => {
  it('keeps all digits that it shows', () => {
    expect(read(column({}), '12345678901234567890')).toBe('12345678901234567890');
    expect(read(column({}), '-0012345678901234567890')).toBe('-12345678901234567890');
    expect(read(column({}), '9007199254740991')).toBe('9007199254740991');
  });

  it('with a dot where the decimal mark is a comma is none: it may divide thousands', () => {
    expect(read(column({}, { decimal: ',' }), '1.234')).toBe('bad:not-a-number');
    expect(read(column({}, { decimal: ',' }), '1.234,5')).toBe('bad:not-a-number');
    expect(read(column({}, { decimal: ',' }), '1,234')).toBe('1.234');
  });

  it('that goes on beyond its characters is none: the rest of it stands there', () => {
    const at = { tags: [{ name: 'a', from: 2, length: 5 }] };
    expect(read(at, 'W: 99.9 kg')).toBe('99.9');
    expect(read(at, 'W 99999 kg')).toBe('99999');
    expect(read(at, 'W:100000 kg')).toBe('bad:cut-off');
    expect(read(at, 'W1000000 kg')).toBe('bad:cut-off');
    expect(read(at, 'W:12345.6 kg')).toBe('bad:cut-off');
  });

  it('right beside another value is one', () => {
    const packed = {
      tags: [
        { name: 'a', from: 0, length: 3 },
        { name: 'b', from: 3, length: 3 },
      ],
    };
    expect(read(packed, '123456')).toBe('123,456');
    expect(read(packed, '1234567')).toBe('123,bad:cut-off');
  });
});
