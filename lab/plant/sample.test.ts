import { expect, test } from 'vitest';
import { recordBytes, sampleBlock } from './register-map.ts';
import { encodeSample, sampleAt, tagValues } from './sample.ts';

test('a sample is a function of seed, unit and record number alone', () => {
  for (const number of [1, 499, 500, 2443, 1e6, 2 ** 32 + 5]) {
    expect(sampleAt(7, 1, number)).toEqual(sampleAt(7, 1, number));
  }
  expect(sampleAt(7, 1, 10)).not.toEqual(sampleAt(8, 1, 10));
  expect(sampleAt(7, 1, 10)).not.toEqual(sampleAt(7, 2, 10));
  expect(sampleAt(7, 1, 10)).not.toEqual(sampleAt(7, 1, 11));
});

test('the values of a seed never change: accounts of old runs stay comparable', () => {
  expect(sampleAt(1, 1, 602)).toEqual({
    temperature: 33.85908508300781,
    pressure: 1.4903545379638672,
    flow: 832,
    energy: 1000075.2812766914,
    status: 22985,
    level: -294,
    label: 'L1-0000012-',
  });
});

test('registers hold exactly what the truth says', () => {
  const block = Buffer.alloc(recordBytes);
  const at = (register: number) => register * 2;
  for (let number = 1; number < 3000; number += 7) {
    const sample = sampleAt(3, 2, number);
    const truth = tagValues(sample);
    encodeSample(sample, number, 1_795_306_210_407 + number, block, 0);
    const decoded = {
      temperature: block.readFloatBE(at(sampleBlock.temperature)),
      pressure: block.readFloatBE(at(sampleBlock.pressure)),
      flow: block.readUInt32BE(at(sampleBlock.flow)),
      energy: block.readDoubleBE(at(sampleBlock.energy)),
      status: block.readUInt16BE(at(sampleBlock.status)),
      running: (block.readUInt16BE(at(sampleBlock.status)) & 1) === 1,
      alarm: (block.readUInt16BE(at(sampleBlock.status)) & 2) === 2,
      door: (block.readUInt16BE(at(sampleBlock.status)) & 4) === 4,
      level: block.readInt16BE(at(sampleBlock.level)) / 10,
      label: block.toString('ascii', at(sampleBlock.label), at(sampleBlock.length)).replace(/\0+$/, ''),
    };
    expect(decoded).toStrictEqual(truth);
    expect(Number(block.readBigUInt64BE(at(sampleBlock.timestamp)))).toBe(1_795_306_210_407 + number);
    expect(block.readUInt32BE(at(sampleBlock.number))).toBe(number);
  }
});

test('the values exercise what a reader can get wrong', () => {
  const samples = Array.from({ length: 3000 }, (_, i) => sampleAt(1, 1, i + 1));
  const levels = samples.map((s) => s.level);
  expect(Math.min(...levels)).toBeLessThan(0);
  expect(Math.max(...levels)).toBeGreaterThan(0);
  expect(new Set(samples.map((s) => s.label.length)).size).toBeGreaterThan(3);
  expect(samples.some((s) => s.label.length === 16)).toBe(true);
  expect(samples.some((s) => s.status >= 0x8000)).toBe(true);
  const wraps = samples.filter((s, i) => i > 0 && s.flow < samples[i - 1]!.flow);
  expect(wraps).toHaveLength(1);
  for (let i = 1; i < samples.length; i++) expect(samples[i]!.energy).toBeGreaterThan(samples[i - 1]!.energy);
});
