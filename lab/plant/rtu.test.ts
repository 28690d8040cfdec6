import { describe, expect, test } from 'vitest';
import { randomInt, seededRandom } from '../../kernel/random.ts';
import { crc16, hasValidCrc, writeCrc } from './crc.ts';
import { maxRtuBytes, RtuReader } from './rtu.ts';

function frame(...bytes: number[]): Buffer {
  const out = Buffer.from([...bytes, 0, 0]);
  writeCrc(out, bytes.length);
  return out;
}

function readerOf() {
  const frames: number[][] = [];
  const reader = new RtuReader();
  const onFrame = (unit: number, pdu: Buffer) => frames.push([unit, ...pdu]);
  return {
    frames,
    push: (bytes: Buffer) => reader.push(bytes, onFrame),
    silence: () => reader.silence(onFrame),
  };
}

test('the check sum is that of the specification', () => {
  // The specification's own example (6.2.2): 02 07 gives 41 12 on the wire.
  expect([...frame(2, 7)]).toEqual([2, 7, 0x41, 0x12]);
  expect(crc16(Buffer.from('123456789'), 9)).toBe(0x4b37);
  expect(hasValidCrc(Buffer.from([2, 7, 0x12, 0x41]), 4)).toBe(false);
});

const requests = [
  [1, 3, 0, 0, 0, 26],
  [1, 6, 0, 100, 1, 2],
  [2, 16, 0, 100, 0, 2, 4, 1, 2, 3, 4],
  [2, 15, 0, 16, 0, 9, 2, 1, 1],
  [2, 20, 14, 6, 0, 1, 0, 0, 0, 26, 6, 0, 1, 0, 26, 0, 26],
  [2, 22, 0, 100, 1, 2, 3, 4],
  [1, 23, 0, 0, 0, 1, 0, 100, 0, 1, 2, 9, 9],
];

test('requests come out whole however the bytes were cut, without waiting for silence', () => {
  const bytes = Buffer.concat(requests.map((request) => frame(...request)));
  for (let size = 1; size <= bytes.length; size++) {
    const reader = readerOf();
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    expect(reader.frames).toEqual(requests);
  }
});

test('a function of unknown length is whole when the bus falls silent', () => {
  const reader = readerOf();
  reader.push(frame(1, 99, 5, 5));
  expect(reader.frames).toEqual([]);
  reader.silence();
  expect(reader.frames).toEqual([[1, 99, 5, 5]]);
});

describe('what is not understood is forgotten at the next silence', () => {
  const good = [1, 3, 0, 0, 0, 1];

  test.each([
    ['a wrong check sum', [1, 3, 0, 0, 0, 1, 0, 0]],
    ['half a frame', [1, 3, 0]],
    ['noise', [0xff, 0x00, 0xa5]],
    ['more than a frame can hold', Array.from({ length: maxRtuBytes + 50 }, () => 0x55)],
  ])('%s', (_, bytes) => {
    const reader = readerOf();
    reader.push(Buffer.from(bytes));
    reader.silence();
    expect(reader.frames).toEqual([]);
    reader.push(frame(...good));
    expect(reader.frames).toEqual([good]);
  });

  test('a good frame right behind a bad one is lost with it', () => {
    const reader = readerOf();
    reader.push(Buffer.concat([Buffer.from([1, 3, 0, 0, 0, 1, 0, 0]), frame(...good)]));
    expect(reader.frames).toEqual([]);
  });
});

test('10,000 random byte strings neither throw nor hang', () => {
  const random = seededRandom(8);
  const reader = readerOf();
  for (let i = 0; i < 10_000; i++) {
    reader.push(Buffer.from(Array.from({ length: randomInt(random, 300) }, () => randomInt(random, 256))));
    if (i % 3 === 0) reader.silence();
  }
  reader.silence();
  const known = frame(1, 3, 0, 0, 0, 1);
  const before = reader.frames.length;
  reader.push(known);
  expect(reader.frames.length).toBe(before + 1);
});
