import { describe, expect, it } from 'vitest';
import { type ChecksumConfig, compileChecksum } from './checksum.ts';
import { type ChecksumName, checksumKind } from './checksum-kinds.ts';

const check = Buffer.from('123456789');

describe('check sums', () => {
  // The check values of the catalogue of parametrised CRC algorithms, over "123456789".
  it.each<[Exclude<ChecksumName, 'nmea'>, number]>([
    ['sum8', 0xdd],
    ['sum8-inverted', 0x22],
    ['sum16', 0x1dd],
    ['xor', 0x31],
    ['lrc', 0x23],
    ['crc16-modbus', 0x4b37],
    ['crc16-arc', 0xbb3d],
    ['crc16-usb', 0xb4c8],
    ['crc16-maxim', 0x44c2],
    ['crc16-buypass', 0xfee8],
    ['crc16-ccitt-false', 0x29b1],
    ['crc16-aug-ccitt', 0xe5cc],
    ['crc16-xmodem', 0x31c3],
    ['crc16-kermit', 0x2189],
    ['crc16-x25', 0x906e],
    ['crc16-mcrf4xx', 0x6f91],
    ['crc16-genibus', 0xd64e],
    ['crc16-dnp', 0xea82],
  ])('%s is what its definition says', (name, expected) => {
    expect(checksumKind(name).sum(check)).toBe(expected);
  });

  it('lrc is that of the Modbus ASCII example', () => {
    // Modbus over Serial Line V1.02, 2.5.2.2: adding the LRC to the sum of all bytes gives 0.
    const message = Buffer.from('0103006b0003', 'hex');
    const lrc = checksumKind('lrc').sum(message);
    expect((message.reduce((sum, byte) => sum + byte, 0) + lrc) & 0xff).toBe(0);
  });
});

describe('where a check sum stands, and how it is written', () => {
  const places = (config: Partial<ChecksumConfig> & { kind: ChecksumName }, frame: Buffer | string) =>
    compileChecksum({ form: 'big', from: 0, ...config })(
      typeof frame === 'string' ? Buffer.from(frame, 'latin1') : frame,
    );

  it('is the last thing in the frame unless it is said otherwise', () => {
    expect(
      places({ kind: 'crc16-modbus', form: 'little' }, Buffer.from('123456789\x37\x4b', 'latin1')),
    ).toEqual([9, 11]);
    expect(places({ kind: 'crc16-modbus', form: 'big' }, Buffer.from('123456789\x37\x4b', 'latin1'))).toBe(
      undefined,
    );
    expect(places({ kind: 'crc16-xmodem', form: 'hex' }, '12345678931c3')).toEqual([9, 13]);
    expect(places({ kind: 'crc16-xmodem', form: 'hex' }, '12345678931C3')).toEqual([9, 13]);
    expect(places({ kind: 'xor', form: 'hex' }, '12345678931')).toEqual([9, 11]);
    expect(places({ kind: 'sum8', form: 'decimal' }, '123456789221')).toEqual([9, 12]);
    expect(places({ kind: 'sum16', form: 'decimal' }, '12345678900477')).toEqual([9, 14]);
  });

  it('of NMEA is none where two sentences are joined, though the sum of both is right by chance', () => {
    const sentence = (content: string) => {
      const sum = [...Buffer.from(content)].reduce((all, byte) => all ^ byte, 0);
      return `$${content}*${sum.toString(16).toUpperCase().padStart(2, '0')}`;
    };
    const first = sentence('D,1,2');
    expect(places({ kind: 'nmea' }, first)).toEqual([6, 9]);
    // The second ends so that all of it has the sum of its own end.
    const joined = sentence(`${first.slice(1)}$D,2,3`);
    expect(places({ kind: 'nmea' }, joined)).toBe(undefined);
  });

  it('covers a part of the frame, and stands anywhere', () => {
    // STX data ETX BCC, over the data and ETX.
    const bcc = String.fromCharCode(0x31 ^ 0x03);
    expect(places({ kind: 'xor', from: 1 }, `\x02123456789\x03${bcc}`)).toEqual([11, 12]);
    // The sum first, then what it covers.
    expect(places({ kind: 'sum8', at: 0, from: 1, to: 10 }, '\xdd123456789')).toEqual([0, 1]);
    // Before two bytes that it does not cover.
    expect(places({ kind: 'sum8', at: -3 }, '123456789\xddAB')).toEqual([9, 10]);
  });

  it('is wrong where it is missing, cut, or no digits', () => {
    for (const frame of ['', '1', '12345678931c', '12345678931cg', '1234567893 c3', '-1c3'])
      expect(places({ kind: 'crc16-xmodem', form: 'hex' }, frame)).toBeUndefined();
    expect(places({ kind: 'sum8', at: 90 }, '12345')).toBeUndefined();
    expect(places({ kind: 'sum8', from: -90 }, '12345')).toBeUndefined();
    expect(places({ kind: 'sum8', from: 4, to: 2 }, '12345')).toBeUndefined();
  });

  it('of an NMEA sentence stands after the star', () => {
    const gga = '$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76';
    expect(places({ kind: 'nmea' }, gga)).toEqual([gga.length - 3, gga.length]);
    expect(places({ kind: 'nmea' }, '!AIVDM,1,1,,A,14eG;o@034o8sd<L9i:a;WF>062D,0*7D')).toBeDefined();
    expect(places({ kind: 'nmea' }, gga.replace('61.7', '61.8'))).toBeUndefined();
    expect(places({ kind: 'nmea' }, gga.slice(1))).toBeUndefined();
    expect(places({ kind: 'nmea' }, '*00')).toBeUndefined();
  });
});
