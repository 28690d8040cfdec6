import { createDecipheriv, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { plainCodec } from '../format/record.ts';
import { keyIdOf, sealedBytes } from '../format/sealed-envelope.ts';
import { keyBytes, plainAfter, sealedWith, testKey } from '../testing/sealed.ts';
import { createSealedCodec, watchMissingKeys } from './sealed-codec.ts';

const codec = sealedWith('a');
const key = Buffer.from('r123456');

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
  return 'opened';
}

describe('a sealed record', () => {
  it('gives back what was sealed, whatever it is and wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        (payload, at) => {
          const value = codec.seal('M', at, payload);
          expect(value.byteLength).toBe(payload.byteLength + sealedBytes);
          expect(Buffer.compare(codec.open('M', at, value), payload)).toBe(0);
        },
      ),
    );
  });

  it('does not open with any bit flipped, cut anywhere, or with anything behind it', () => {
    const value = Buffer.from(codec.seal('M', key, Buffer.from('temperature 21.5')));
    for (let bit = 0; bit < value.byteLength * 8; bit++) {
      const damaged = Buffer.from(value);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      // A flip in the key's id looks like a key that was not given.
      const isKeyId = bit >> 3 >= 2 && bit >> 3 < 6;
      const code = codeOf(() => codec.open('M', key, damaged));
      expect(code, `bit ${bit}`).toBe(isKeyId ? 'spool-record-sealed' : 'spool-record-damaged');
    }
    for (let length = 0; length < value.byteLength; length++) {
      expect(
        codeOf(() => codec.open('M', key, value.subarray(0, length))),
        `${length} bytes`,
      ).toBe('spool-record-damaged');
    }
    const longer = Buffer.concat([value, Buffer.of(0)]);
    expect(codeOf(() => codec.open('M', key, longer))).toBe('spool-record-damaged');
  });

  it('does not open under another key, as another kind, or with a part of another record', () => {
    const one = Buffer.from(codec.seal('M', key, Buffer.from('one')));
    const two = Buffer.from(codec.seal('M', Buffer.from('r123457'), Buffer.from('two')));
    expect(codeOf(() => codec.open('M', Buffer.from('r123457'), one))).toBe('spool-record-damaged');
    expect(codeOf(() => codec.open('M', Buffer.concat([key, Buffer.of(0)]), one))).toBe(
      'spool-record-damaged',
    );
    expect(codeOf(() => codec.open('J', key, one))).toBe('spool-record-damaged');
    const renamed = Buffer.from(one);
    renamed[1] = 'J'.charCodeAt(0);
    expect(codeOf(() => codec.open('J', key, renamed))).toBe('spool-record-damaged');
    for (const [from, to] of [
      [6, 14],
      [14, 26],
      [26, 42],
      [42, 45],
    ] as const) {
      const mixed = Buffer.from(one);
      two.copy(mixed, from, from, to);
      // In one epoch the epochs are alike.
      const expected = from === 6 ? 'opened' : 'spool-record-damaged';
      expect(
        codeOf(() => codec.open('M', key, mixed)),
        `bytes ${from} to ${to}`,
      ).toBe(expected);
    }
  });

  it('does not pass for a plain one, nor a plain one with a wrong sum for a sealed one', () => {
    const plain = Buffer.from(plainCodec.seal('M', key, Buffer.alloc(60, 1)));
    expect(codec.open('M', key, plain).byteLength).toBe(60);
    plain[0] = 2;
    expect(codeOf(() => codec.open('M', key, plain))).not.toBe('opened');
    const sealed = Buffer.from(codec.seal('M', key, Buffer.alloc(60, 1)));
    sealed[0] = 1;
    expect(codeOf(() => codec.open('M', key, sealed))).toBe('spool-record-damaged');
  });

  it('says which key it takes when that was not given, and nothing of any key', () => {
    const value = codec.seal('M', key, Buffer.from('one'));
    expect(keyIdOf(value)).toBe(codec.keyId);
    for (const other of [plainCodec, plainAfter('b'), sealedWith('b')]) {
      const { codec: watched, missing } = watchMissingKeys(other);
      expect(() => watched.open('M', key, value)).toThrow(`sealed with key ${codec.keyId}`);
      expect([...missing]).toEqual([[codec.keyId, 1]]);
    }
    expect(keyBytes('a').toString('hex')).not.toContain(codec.keyId);
  });

  it('opens with a previous key, while the new one seals', () => {
    const value = codec.seal('M', key, Buffer.from('one'));
    const rotated = sealedWith('b', 'a');
    expect(rotated.open('M', key, value).toString()).toBe('one');
    expect(keyIdOf(rotated.seal('M', key, Buffer.from('two')))).toBe(rotated.keyId);
    expect(rotated.holdsKey?.(codec.keyId!)).toBe(true);
    const off = plainAfter('a');
    expect(off.open('M', key, value).toString()).toBe('one');
    expect(keyIdOf(off.seal('M', key, Buffer.from('two')))).toBeUndefined();
  });

  it('never repeats a nonce under a key, and draws a new epoch before its nonces could meet', () => {
    const places = new Set<string>();
    const epochs = new Set<string>();
    const small = createSealedCodec({ current: testKey('a'), recordsPerEpoch: 100 });
    for (let n = 0; n < 1000; n++) {
      const value = Buffer.from(small.seal('M', key, Buffer.from('same')));
      places.add(value.toString('hex', 6, 26));
      epochs.add(value.toString('hex', 6, 14));
      expect(small.open('M', key, value).toString()).toBe('same');
    }
    expect(places.size).toBe(1000);
    expect(epochs.size).toBe(10);
    // Another process, another epoch: its nonces are nobody else's.
    const other = Buffer.from(sealedWith('a').seal('M', key, Buffer.from('same')));
    expect(epochs.has(other.toString('hex', 6, 14))).toBe(false);
  });

  it('opens records of more epochs than are remembered', () => {
    const lives = Array.from({ length: 600 }, (_, n) => sealedWith('a').seal('M', key, Buffer.of(n & 255)));
    for (const turn of [0, 1]) {
      for (const [n, value] of lives.entries())
        expect(codec.open('M', key, value)[0], `${turn}`).toBe(n & 255);
    }
  });

  it('is on the disk as docs/FORMAT.md says', () => {
    let drawn = 0;
    const entropy = (target: Uint8Array) => void target.fill(++drawn);
    const fixed = createSealedCodec({ current: testKey('a'), entropy });
    const value = Buffer.from(fixed.seal('K', Buffer.from('kconfig'), Buffer.from('{"value":1}')));
    expect(value.toString('hex')).toBe(
      '024b26c39fa30101010101010101020202020202020202020202206fa01b896617cbd447e264e277ef3f8f7f12f767526e6646bd2c',
    );
    // By the words of the page alone.
    const epoch = value.subarray(6, 14);
    const secret = hkdfSync('sha256', keyBytes('a'), epoch, 'holdfast spool record', 32);
    const id = hkdfSync('sha256', keyBytes('a'), '', 'holdfast spool key id', 4);
    expect(value.subarray(2, 6)).toEqual(Buffer.from(id));
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(secret), value.subarray(14, 26));
    decipher.setAAD(Buffer.concat([value.subarray(0, 26), Buffer.from('kconfig')]));
    decipher.setAuthTag(value.subarray(26, 42));
    const payload = Buffer.concat([decipher.update(value.subarray(42)), decipher.final()]);
    expect(payload.toString()).toBe('{"value":1}');
  });
});
