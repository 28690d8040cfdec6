import { beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { answerPdu, maxPduBytes } from './pdu.ts';
import { filePosition, recordRegisters, ringAddress } from './register-map.ts';
import { sampleAt } from './sample.ts';
import { PlantUnit } from './unit.ts';

const startMs = 1_795_306_210_407;
let press: PlantUnit;
let boiler: PlantUnit;

beforeEach(() => {
  press = new PlantUnit({ id: 1, name: 'press', seed: 1, log: 'ring', capacity: 10 });
  boiler = new PlantUnit({ id: 2, name: 'boiler', seed: 1, log: 'file-records', capacity: 400 });
  for (let i = 0; i < 395; i++) {
    press.scan(startMs + i);
    boiler.scan(startMs + i);
  }
});

function ask(unit: PlantUnit, ...request: number[]): number[] {
  const out = Buffer.alloc(300, 0xee);
  const length = answerPdu(unit, Buffer.from(request), out, 7);
  // Whatever happens, nothing beyond the largest PDU is touched.
  expect(out.subarray(7 + maxPduBytes)).toEqual(Buffer.alloc(300 - 7 - maxPduBytes, 0xee));
  return [...out.subarray(7, 7 + length)];
}

const word = (value: number) => [value >> 8, value & 255];
const hex = (bytes: number[]) => Buffer.from(bytes);

describe('reads', () => {
  test('functions 3 and 4 give the newest sample', () => {
    const answer = ask(press, 3, 0, 0, 0, 26);
    expect(answer.slice(0, 2)).toEqual([3, 52]);
    const block = hex(answer.slice(2));
    expect(block.readUInt32BE(8)).toBe(395);
    expect(Number(block.readBigUInt64BE(0))).toBe(startMs + 394);
    expect(block.readFloatBE(12)).toBe(sampleAt(1, 1, 395).temperature);
    expect(ask(press, 4, 0, 0, 0, 26).slice(1)).toEqual(answer.slice(1));
  });

  test('the ring holds the last records, each where its number says', () => {
    for (let number = 386; number <= 395; number++) {
      const answer = ask(press, 3, ...word(ringAddress(number, 10)), 0, 26);
      const record = hex(answer.slice(2));
      expect(record.readUInt32BE(8)).toBe(number);
      expect(Number(record.readBigUInt64BE(0))).toBe(startMs + number - 1);
      expect(record.readDoubleBE(24)).toBe(sampleAt(1, 1, number).energy);
    }
    const descriptor = hex(ask(press, 3, ...word(1000), 0, 6).slice(2));
    expect([descriptor.readUInt32BE(0), descriptor.readUInt32BE(4)]).toEqual([395, 386]);
    expect([descriptor.readUInt16BE(8), descriptor.readUInt16BE(10)]).toEqual([10, 26]);
  });

  test('functions 1 and 2 give the status bits, least significant first', () => {
    const { status } = sampleAt(1, 1, 395);
    expect(ask(press, 2, 0, 0, 0, 16)).toEqual([2, 2, status & 255, status >> 8]);
    expect(ask(press, 1, 0, 0, 0, 16)).toEqual([1, 2, status & 255, status >> 8]);
    expect(ask(press, 1, 0, 3, 0, 5)).toEqual([1, 1, (status >> 3) & 31]);
  });
});

describe('file records (function 20)', () => {
  const group = (file: number, offset: number, count: number) => [
    6,
    ...word(file),
    ...word(offset),
    ...word(count),
  ];
  const readFile = (...groups: number[][]) => ask(boiler, 20, groups.flat().length, ...groups.flat());

  test('every record held is found where its number says, across files', () => {
    for (let number = 1; number <= 395; number++) {
      const { file, offset } = filePosition(number, 400);
      const answer = readFile(group(file, offset, recordRegisters));
      expect(answer.slice(0, 4)).toEqual([20, 54, 53, 6]);
      expect(hex(answer.slice(4)).readUInt32BE(8)).toBe(number);
    }
    expect(filePosition(395, 400).file).toBe(2);
  });

  test('several groups are answered in one response', () => {
    const answer = readFile(group(1, 26, 2), group(2, 0, 26));
    expect(answer.slice(0, 4)).toEqual([20, 60, 5, 6]);
    expect(answer.slice(8, 10)).toEqual([53, 6]);
    expect(hex(answer.slice(10)).readUInt32BE(8)).toBe(384);
  });

  test.each([
    ['a read across the end of a file', [20, 7, ...group(1, 9984 - 10, 11)], 2],
    ['a file that does not exist', [20, 7, ...group(3, 0, 26)], 2],
    ['file 0', [20, 7, ...group(0, 0, 26)], 2],
    ['beyond the last record', [20, 7, ...group(2, 16 * 26 - 25, 26)], 2],
    ['another reference type', [20, 7, 5, 0, 1, 0, 0, 0, 1], 2],
    ['more than an answer can hold', [20, 7, ...group(1, 0, 122)], 3],
    ['groups that together are too much', [20, 14, ...group(1, 0, 100), ...group(1, 0, 30)], 3],
    ['a byte count that is no multiple of 7', [20, 8, ...group(1, 0, 1), 0], 3],
    ['a byte count that does not match', [20, 14, ...group(1, 0, 1)], 3],
    ['no group at all', [20, 0], 3],
    ['no registers', [20, 7, ...group(1, 0, 0)], 3],
  ])('%s is refused', (_, request, exception) => {
    expect(ask(boiler, ...request)).toEqual([0x94, exception]);
  });

  test('a unit without files does not know the function', () => {
    expect(ask(press, 20, 7, ...group(1, 0, 26))).toEqual([0x94, 1]);
  });
});

describe('writes', () => {
  test('set points keep what functions 6, 16, 22 and 23 write', () => {
    expect(ask(press, 6, 0, 100, 0x12, 0x34)).toEqual([6, 0, 100, 0x12, 0x34]);
    expect(ask(press, 16, 0, 101, 0, 2, 4, 1, 2, 3, 4)).toEqual([16, 0, 101, 0, 2]);
    expect(ask(press, 3, 0, 100, 0, 3)).toEqual([3, 6, 0x12, 0x34, 1, 2, 3, 4]);
    // The example of the specification: 0x12, and-mask 0xf2, or-mask 0x25 gives 0x17.
    ask(press, 6, 0, 104, 0, 0x12);
    expect(ask(press, 22, 0, 104, 0, 0xf2, 0, 0x25)).toEqual([22, 0, 104, 0, 0xf2, 0, 0x25]);
    expect(ask(press, 3, 0, 104, 0, 1)).toEqual([3, 2, 0, 0x17]);
    expect(ask(press, 23, 0, 104, 0, 2, 0, 105, 0, 1, 2, 9, 9)).toEqual([23, 4, 0, 0x17, 9, 9]);
  });

  test('command coils keep what functions 5 and 15 write', () => {
    expect(ask(press, 5, 0, 16, 0xff, 0)).toEqual([5, 0, 16, 0xff, 0]);
    expect(ask(press, 15, 0, 18, 0, 10, 2, 0b10000011, 0b10)).toEqual([15, 0, 18, 0, 10]);
    expect(ask(press, 1, 0, 16, 0, 16)).toEqual([1, 2, 0b00001101, 0b00001010]);
    ask(press, 5, 0, 16, 0, 0);
    expect(ask(press, 1, 0, 16, 0, 8)).toEqual([1, 1, 0b00001100]);
    const { status } = sampleAt(1, 1, 395);
    expect(ask(press, 1, 0, 0, 0, 32).slice(2, 4)).toEqual([status & 255, status >> 8]);
  });

  test('a read and write that cannot be answered has not written', () => {
    expect(ask(press, 23, 0, 50, 0, 1, 0, 105, 0, 1, 2, 9, 9)).toEqual([0x97, 2]);
    expect(ask(press, 3, 0, 105, 0, 1)).toEqual([3, 2, 0, 0]);
  });
});

describe('what is refused', () => {
  test.each<[string, number[], number]>([
    ['an unknown function', [99, 0, 0], 1],
    ['no address', [3], 3],
    ['a hole in the map', [3, 0, 26, 0, 1], 2],
    ['a range that runs into a hole', [3, 0, 20, 0, 7], 2],
    ['a range beyond the address space', [3, 0xff, 0xff, 0, 2], 2],
    ['no registers', [3, 0, 0, 0, 0], 3],
    ['more registers than a response holds', [3, 0, 0, 0, 126], 3],
    ['trailing bytes', [3, 0, 0, 0, 1, 0], 3],
    ['input registers beyond the sample block', [4, 0, 100, 0, 1], 2],
    ['discrete inputs beyond the status word', [2, 0, 16, 0, 1], 2],
    ['coils beyond the commands', [1, 0, 31, 0, 2], 2],
    ['2001 coils', [1, 0, 0, 0x07, 0xd1], 3],
    ['writing a measured value', [6, 0, 6, 0, 1], 2],
    ['writing the log', [16, 0x07, 0xd0, 0, 1, 2, 0, 0], 2],
    ['writing a status bit', [5, 0, 0, 0xff, 0], 2],
    ['a coil state that is none', [5, 0, 16, 0x12, 0x34], 3],
    ['a byte count that does not match its registers', [16, 0, 100, 0, 2, 2, 0, 0], 3],
    ['a byte count that does not match its coils', [15, 0, 16, 0, 9, 1, 0], 3],
  ])('%s', (_, request, exception) => {
    expect(ask(press, ...request)).toEqual([request[0]! | 0x80, exception]);
  });

  test('a register that the device refuses takes every request with it that touches it', () => {
    press.refused = [[10, 11]];
    expect(ask(press, 3, 0, 0, 0, 26)).toEqual([0x83, 2]);
    expect(ask(press, 3, 0, 11, 0, 1)).toEqual([0x83, 2]);
    expect(ask(press, 4, 0, 10, 0, 1)).toEqual([0x84, 2]);
    expect(ask(press, 3, 0, 0, 0, 10)[0]).toBe(3);
    expect(ask(press, 3, 0, 12, 0, 14)[0]).toBe(3);
  });

  test('a device with a small buffer refuses longer reads', () => {
    press.maxRegisters = 16;
    expect(ask(press, 3, 0, 0, 0, 17)).toEqual([0x83, 3]);
    expect(ask(press, 3, 0, 0, 0, 16)[0]).toBe(3);
  });
});

test('whatever the bytes, there is an answer that fits a frame', () => {
  const random = seededRandom(4);
  const out = Buffer.alloc(512);
  for (let i = 0; i < 20_000; i++) {
    const request = Buffer.from(
      Array.from({ length: 1 + Math.floor(random.next() * 30) }, () => Math.floor(random.next() * 256)),
    );
    if (i % 2 === 0) request[0] = [1, 2, 3, 4, 5, 6, 15, 16, 20, 22, 23][i % 11]!;
    for (const unit of [press, boiler]) {
      const length = answerPdu(unit, request, out, 0);
      expect(length).toBeGreaterThanOrEqual(2);
      expect(length).toBeLessThanOrEqual(maxPduBytes);
    }
  }
});
