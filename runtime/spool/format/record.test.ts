import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainCodec } from './record.ts';

const bytes = fc.uint8Array({ minLength: 0, maxLength: 60 });
const key = Buffer.from('r123456');

describe('a record', () => {
  it('opens as what was sealed', () => {
    fc.assert(
      fc.property(bytes, (payload) => {
        const sealed = plainCodec.seal('M', key, payload);
        expect(Buffer.compare(plainCodec.open('M', key, sealed), payload)).toBe(0);
      }),
    );
  });

  it('does not open after any change of one bit, cut short, under another key or as another kind', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), (payload, seed) => {
        const sealed = Buffer.from(plainCodec.seal('M', key, payload));
        const damaged = Buffer.from(sealed);
        const bit = seed % (damaged.byteLength * 8);
        damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7));
        const code = 'spool-record-damaged';
        expect(() => plainCodec.open('M', key, damaged)).toThrowError(expect.objectContaining({ code }));
        const short = sealed.subarray(0, seed % sealed.byteLength);
        expect(() => plainCodec.open('M', key, short)).toThrowError(expect.objectContaining({ code }));
        expect(() => plainCodec.open('M', Buffer.from('r123457'), sealed)).toThrowError(
          expect.objectContaining({ code }),
        );
        expect(() => plainCodec.open('J', key, sealed)).toThrowError(expect.objectContaining({ code }));
      }),
    );
  });
});
