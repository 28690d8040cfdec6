import { describe, expect, it } from 'vitest';
import { parseFraming, readFrames } from './testing/frames.ts';

const read = (framing: object, chunks: readonly string[], checksum?: object, isLost = false) =>
  readFrames(
    parseFraming(framing, checksum),
    chunks.map((chunk) => (chunk === 'silent' ? chunk : Buffer.from(chunk, 'latin1'))),
    isLost,
  );

describe('messages that end with certain bytes', () => {
  const lines = { kind: 'delimiter', end: '\\r\\n' };

  it('are told apart however they are cut, and empty ones are none', () => {
    expect(read(lines, ['a\r', '\nb', 'c\r\n\r\n', 'd']).frames).toEqual(['a', 'bc']);
  });

  it('are not taken from the middle after a start amid one', () => {
    expect(read(lines, ['3.5\r\n12.5\r\n'], undefined, true)).toMatchObject({
      frames: ['12.5'],
      garbage: { noise: 5 },
    });
    expect(read(lines, ['silent', '3.5\r\n'], undefined, true).frames).toEqual(['3.5']);
  });

  it('are given up when they go no further, so that the next one is whole', () => {
    expect(read(lines, ['12.', 'silent', '12.5\r\n'])).toMatchObject({
      frames: ['12.5'],
      garbage: { cut: 3 },
    });
  });

  it('are bounded: what is too long is skipped up to the next end', () => {
    const { frames, garbageBytes, mostKept } = read({ ...lines, maxBytes: 10 }, [
      ...Array.from({ length: 1000 }, () => 'xxxxx'),
      'tail\r\nok\r\n',
    ]);
    expect(frames).toEqual(['ok']);
    expect(garbageBytes).toBe(5006);
    expect(mostKept).toBeLessThan(5010);
  });

  it('have their check sum taken off', () => {
    expect(read(lines, ['123456789DD\r\n123456788DD\r\n'], { kind: 'sum8', form: 'hex' })).toMatchObject({
      frames: ['123456789'],
      garbage: { checksum: 13 },
    });
  });
});

describe('messages of one length', () => {
  it('are counted off, and silence finds the edge again', () => {
    const fixed = { kind: 'fixed', length: 4 };
    expect(read(fixed, ['abcde', 'fgh', 'ij', 'silent', 'klmn']).frames).toEqual(['abcd', 'efgh', 'klmn']);
    expect(read(fixed, ['xabcdefgh', 'silent', 'klmn'], undefined, true).frames).toEqual(['klmn']);
  });

  it('are found by their first bytes', () => {
    const fixed = { kind: 'fixed', length: 4, start: '\\xAA\\x55' };
    expect(read(fixed, ['..\xaa', '.\xaa\x55ab\xaa\x55cd'])).toMatchObject({
      frames: ['\xaa\x55ab', '\xaa\x55cd'],
      garbage: { noise: 4 },
    });
  });

  it('are found by their check sum alone', () => {
    const fixed = { kind: 'fixed', length: 10 };
    const { frames, garbageBytes } = read(fixed, ['xyz123456789\xdd123456789\xddq'], { kind: 'sum8' });
    expect(frames).toEqual(['123456789', '123456789']);
    expect(garbageBytes).toBe(3);
  });
});

describe('messages between a start and an end', () => {
  const stx = { kind: 'start-end' };

  it('are what stands between, without noise around', () => {
    expect(read(stx, ['..\x02ab\x03..\x02c', 'd\x03'])).toMatchObject({
      frames: ['ab', 'cd'],
      garbage: { noise: 4 },
    });
  });

  it('begin at the last start: the one before it was cut off', () => {
    expect(read(stx, ['\x0212.\x0212.5\x03'])).toMatchObject({ frames: ['12.5'], garbage: { cut: 4 } });
  });

  it('have a check sum behind the end, and may then hold the start byte', () => {
    const bcc = (text: string) =>
      String.fromCharCode([...text].reduce((sum, char) => sum ^ char.charCodeAt(0), 0));
    const good = `a\x02b\x03`;
    const checksum = { kind: 'xor', from: 1 };
    expect(
      read(
        { ...stx, trailer: 1 },
        [`\x02${good}${bcc(good)}`, `\x02cd\x03!\x02ef\x03${bcc('ef\x03')}`],
        checksum,
      ).frames,
    ).toEqual(['a\x02b', 'ef']);
  });

  it('are bounded', () => {
    const { frames, mostKept } = read({ ...stx, maxBytes: 20 }, [`\x02${'x'.repeat(500)}`, '\x02ok\x03']);
    expect(frames).toEqual(['ok']);
    expect(mostKept).toBeLessThan(25);
  });
});

describe('messages that say how long they are', () => {
  const framing = { kind: 'length-field', start: '\\xAA', offset: 1, size: 1, add: 3 };

  it('are as long as they say', () => {
    expect(read(framing, ['\xaa\x02ab!', '.\xaa\x03cde', '!']).frames).toEqual([
      '\xaa\x02ab!',
      '\xaa\x03cde!',
    ]);
  });

  it('say it in bytes of either order, or in digits', () => {
    const as = (form: string, size: number) => ({ kind: 'length-field', offset: 0, size, form, add: size });
    expect(read(as('little', 2), ['\x03\x00abc']).frames).toEqual(['\x03\x00abc']);
    expect(read(as('big', 2), ['\x00\x03abc']).frames).toEqual(['\x00\x03abc']);
    expect(read(as('decimal', 3), ['003abc']).frames).toEqual(['003abc']);
    expect(read(as('hex', 2), ['0Aabcdefghij']).frames).toEqual(['0Aabcdefghij']);
  });

  it('are looked for again where the length makes no sense, or the check sum is wrong', () => {
    const sum = { kind: 'sum8' };
    const good = '\xaa\x02ab';
    const total = [...good].reduce((all, char) => all + char.charCodeAt(0), 0) & 0xff;
    const whole = `${good}${String.fromCharCode(total)}`;
    expect(
      read({ ...framing, maxBytes: 20 }, [`\xaa\xff${whole}\xaa\x02zz\x00${whole}`], sum).frames,
    ).toEqual([good, good]);
  });

  it('are given up when they go no further', () => {
    expect(read(framing, ['\xaa\x09ab', 'silent', '\xaa\x02ab!'])).toMatchObject({ frames: ['\xaa\x02ab!'] });
  });
});

describe('messages between pauses', () => {
  it('are what comes without one', () => {
    const silence = { kind: 'silence', maxBytes: 5 };
    expect(read(silence, ['ab', 'c', 'silent', 'silent', 'd', 'silent'])).toMatchObject({
      frames: ['abc', 'd'],
    });
    expect(read(silence, ['abcdefgh', 'ij', 'silent', 'ok', 'silent'])).toMatchObject({
      frames: ['ok'],
      garbageBytes: 10,
    });
  });
});
