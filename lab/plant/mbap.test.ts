import { describe, expect, test } from 'vitest';
import { randomInt, seededRandom } from '../../kernel/random.ts';
import { MbapReader, maxFrameBytes, writeMbap } from './mbap.ts';
import { maxPduBytes } from './pdu.ts';

interface Frame {
  transaction: number;
  unit: number;
  pdu: number[];
}

const frames: readonly Frame[] = [
  { transaction: 1, unit: 1, pdu: [3, 0, 0, 0, 26] },
  { transaction: 0xffff, unit: 255, pdu: [7] },
  { transaction: 2, unit: 0, pdu: Array.from({ length: 253 }, (_, i) => i) },
  { transaction: 2, unit: 2, pdu: [20, 7, 6, 0, 1, 0, 0, 0, 1] },
];

function encode({ transaction, unit, pdu }: Frame): Buffer {
  const out = Buffer.alloc(7 + pdu.length);
  writeMbap(transaction, unit, pdu.length, out, 0);
  Buffer.from(pdu).copy(out, 7);
  return out;
}

function readAll(chunks: readonly Buffer[]): { frames: Frame[]; isModbus: boolean } {
  const reader = new MbapReader();
  const read: Frame[] = [];
  const isModbus = chunks.every((chunk) =>
    reader.push(chunk, (transaction, unit, pdu) => read.push({ transaction, unit, pdu: [...pdu] })),
  );
  return { frames: read, isModbus };
}

test('frames come out whole however the bytes were cut', () => {
  const bytes = Buffer.concat(frames.map(encode));
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    expect(readAll(chunks)).toEqual({ frames, isModbus: true });
  }
});

test('the largest frame is accepted', () => {
  expect(encode(frames[2]!).length).toBe(maxFrameBytes);
});

describe('bytes that are no Modbus TCP', () => {
  test.each([
    ['another protocol', [0, 1, 0, 1, 0, 6, 1, 3, 0, 0, 0, 1]],
    ['a length without a function code', [0, 1, 0, 0, 0, 1, 1]],
    ['a length of nothing', [0, 1, 0, 0, 0, 0, 1]],
    ['a length beyond the largest frame', [0, 1, 0, 0, 0, 255, 1]],
    ['an HTTP request', [...Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
  ])('%s', (_, bytes) => {
    expect(readAll([Buffer.from(bytes)])).toEqual({ frames: [], isModbus: false });
  });

  test('frames before them are still handed over', () => {
    const chunk = Buffer.concat([encode(frames[0]!), Buffer.from('garbage')]);
    expect(readAll([chunk])).toEqual({ frames: [frames[0]], isModbus: false });
  });
});

test('10,000 random byte strings neither throw nor give a frame that could not be', () => {
  const random = seededRandom(6);
  const byte = () => randomInt(random, 256);
  for (let i = 0; i < 10_000; i++) {
    const reader = new MbapReader();
    const bytes = Buffer.from(Array.from({ length: randomInt(random, 80) }, byte));
    // Half of them start as Modbus TCP does, else nearly all would end at the protocol number.
    if (i % 2 === 0 && bytes.length > 6) bytes.writeUInt32BE(byte() % 40, 2);
    const cut = randomInt(random, bytes.length + 1);
    const onFrame = (_transaction: number, _unit: number, pdu: Buffer) => {
      expect(pdu.length).toBeGreaterThan(0);
      expect(pdu.length).toBeLessThanOrEqual(maxPduBytes);
    };
    if (reader.push(bytes.subarray(0, cut), onFrame)) reader.push(bytes.subarray(cut), onFrame);
  }
});
