// What devices show where they have no value: null with the reason, never a number.
import { describe, expect, it } from 'vitest';
import { modbusTcpSourceSchema } from './config.ts';
import { mapTags } from './register-map.ts';

function parse(tag: object) {
  return modbusTcpSourceSchema.safeParse({
    type: 'modbus-tcp',
    name: 'meter',
    host: 'x',
    tags: [{ name: 'a', address: 0, ...tag }],
  });
}

function read(tag: object, hex: string) {
  const config = parse(tag);
  if (!config.success) throw new Error(config.error.issues.map(({ message }) => message).join());
  return mapTags(config.data.tags)[0]!.read(Buffer.from(hex.replaceAll(' ', ''), 'hex'), 0);
}

const none = (quality: string) => ({ value: null, quality });
const good = (value: unknown) => ({ value, quality: 'good' });

describe('registers that say that there is no value', () => {
  it.each([
    ['int16', '8000', '7fff', 32_767],
    ['uint16', 'ffff', '8000', 32_768],
    ['int32', '80000000', 'ffffffff', -1],
    ['uint32', 'ffffffff', '80000000', 2 ** 31],
    ['int64', '8000000000000000', '0000000000000001', 1],
    ['uint64', 'ffffffffffffffff', '0000000000000002', 2],
    ['float32', '7fc00000', '41c80000', 25],
    ['float64', '7ff8000000000000', '4009000000000000', 3.125],
  ])('by SunSpec, as %s: %s, but not %s', (type, hex, other, value) => {
    expect(read({ type, invalid: 'sunspec' }, hex)).toEqual(none('bad:not-implemented'));
    expect(read({ type, invalid: 'sunspec' }, other)).toEqual(good(value));
  });

  it('by SunSpec, in a bit of a register that is not there, and in text of nothing', () => {
    expect(read({ type: 'bit', bit: 0, invalid: 'sunspec' }, 'ffff')).toEqual(none('bad:not-implemented'));
    expect(read({ type: 'bit', bit: 0, invalid: 'sunspec' }, '0001')).toEqual(good(true));
    // A cell of a table of tags is a list.
    for (const invalid of ['sunspec', ['sunspec']]) {
      expect(read({ type: 'string', length: 4, invalid }, '00000000')).toEqual(none('bad:not-implemented'));
    }
  });

  it('are values and ranges as they stand in the registers, before scaling, in whatever order', () => {
    const tag = { type: 'int16', scale: 0.1, invalid: [0x8000, '0x7FFF', '30000..30010', -1] };
    expect(read(tag, '8000')).toEqual(none('bad:invalid'));
    expect(read(tag, '7fff')).toEqual(none('bad:invalid'));
    expect(read(tag, '7535')).toEqual(none('bad:invalid'));
    expect(read(tag, 'ffff')).toEqual(none('bad:invalid'));
    expect(read(tag, '0019')).toEqual(good(2.5));
    expect(read({ type: 'uint32', order: 'CDAB', invalid: [0xffff_0000] }, '0000ffff')).toEqual(
      none('bad:invalid'),
    );
    expect(read({ type: 'int16', invalid: ['0x8000..0x800F'] }, '8003')).toEqual(none('bad:invalid'));
    expect(read({ type: 'uint64', invalid: ['0xFFFFFFFFFFFFFFFE'] }, 'fffffffffffffffe')).toEqual(
      none('bad:invalid'),
    );
    expect(read({ type: 'float32', invalid: ['9.9e37..1e38'] }, '7e967699')).toEqual(none('bad:invalid'));
    expect(read({ type: 'bcd16', invalid: [9999] }, '9999')).toEqual(none('bad:invalid'));
  });

  it('may have words of their own, and stand beside those of SunSpec', () => {
    const tag = { type: 'int16', invalid: { '32767': 'over-range', '-32768': 'sensor-broken' } };
    expect(read(tag, '7fff')).toEqual(none('bad:over-range'));
    expect(read(tag, '8000')).toEqual(none('bad:sensor-broken'));
    expect(read({ type: 'uint16', invalid: ['sunspec', 0xfffe] }, 'ffff')).toEqual(
      none('bad:not-implemented'),
    );
    expect(read({ type: 'uint16', invalid: ['sunspec', 0xfffe] }, 'fffe')).toEqual(none('bad:invalid'));
  });

  it('have no name either', () => {
    const tag = { type: 'uint16', names: { '1': 'running' }, invalid: 'sunspec' };
    expect(read(tag, 'ffff')).toEqual(none('bad:not-implemented'));
    expect(read(tag, '0001')).toEqual(good('running'));
  });

  it('pass for values where nobody said what they mean, but for what is no number in any device', () => {
    expect(read({ type: 'uint16' }, 'ffff')).toEqual(good(65_535));
    expect(read({ type: 'float32' }, '7fc00000')).toEqual(none('bad:not-finite'));
  });

  it.each<[object, RegExp]>([
    [{ type: 'int16', invalid: [70_000] }, /'70000' is no value of int16/],
    [{ type: 'uint16', invalid: ['nonsense'] }, /'nonsense' is no value of uint16/],
    [{ type: 'uint16', invalid: ['9..3'] }, /upside down/],
    [{ type: 'uint16', invalid: ['1..2..3'] }, /is no value/],
    [{ type: 'uint16', invalid: 'SunSpec' }, /must be sunspec, a list/],
    [{ type: 'uint16', invalid: { 1: 'Over Range' } }, /kebab-case/],
    [{ table: 'coil', invalid: [1] }, /only for registers/],
    [{ type: 'string', length: 4, invalid: [0] }, /must be sunspec for text/],
    [{ type: 'uint16', perRegister: 1 }, /only for type: string/],
    [{ type: 'string', length: 126, perRegister: 1 }, /takes 126 registers/],
  ])('need a configuration that fits: %j', (tag, problem) => {
    const result = parse(tag);
    expect(result.success).toBe(false);
    expect(result.error!.issues.map(({ message }) => message).join('\n')).toMatch(problem);
  });
});

describe('text in registers', () => {
  const text = (more: object, hex: string) => read({ type: 'string', length: 4, ...more }, hex);

  it('of one character a register is read where that is said, and no text where it is not', () => {
    expect(text({ perRegister: 1 }, '0048 0065 0000 0000')).toEqual(good('He'));
    expect(text({ perRegister: 1, order: 'BADC' }, '4800 6500 6c00 6c00')).toEqual(good('Hell'));
    expect(text({}, '0048 0065')).toEqual(none('bad:not-text'));
    expect(text({}, '4800 6500')).toEqual(none('bad:not-text'));
  });

  it('ends at its first NUL, and may be empty or one character', () => {
    expect(text({}, '4865 0078')).toEqual(good('He'));
    expect(text({}, '4800 0000')).toEqual(good('H'));
    expect(text({}, '0000 0000')).toEqual(good(''));
  });

  it('that is no UTF-8 is no text, rather than text with other characters', () => {
    expect(text({ encoding: 'utf8' }, 'c3a9 6100')).toEqual(good('éa'));
    expect(text({ encoding: 'utf8' }, 'ff61 0000')).toEqual(none('bad:not-text'));
    expect(text({ encoding: 'latin1' }, 'ff61 0000')).toEqual(good('ÿa'));
  });
});
