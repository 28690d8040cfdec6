import { describe, expect, it } from 'vitest';
import { filePosition, ringAddress } from '../../../lab/plant/register-map.ts';
import type { HistoryConfig } from './config.ts';
import { placeRecords } from './record-places.ts';

const common = { newest: { address: 0 }, recordRegisters: 26, capacity: 1000 };
const ring = { ...common, kind: 'ring', table: 'holding', base: 2000 } as unknown as HistoryConfig;
const files = {
  ...common,
  kind: 'file-records',
  firstFile: 1,
  registersPerFile: 9984,
} as unknown as HistoryConfig;

describe('the places of records', () => {
  it('are where the equipment puts them', () => {
    for (const number of [0, 1, 383, 384, 999, 1000, 12_345]) {
      expect(placeRecords(ring, 125).records(number, 1)).toEqual([
        { address: ringAddress(number, 1000), count: 26 },
      ]);
      const { file, offset } = filePosition(number, 1000);
      expect(placeRecords(files, 121).records(number, 1)).toEqual([{ file, address: offset, count: 26 }]);
    }
  });

  it('follow each other up to the end of the ring or the file', () => {
    expect(placeRecords(ring, 125).contiguous(990, 64)).toBe(10);
    expect(placeRecords(ring, 125).contiguous(1000, 64)).toBe(64);
    expect(placeRecords(files, 121).contiguous(380, 64)).toBe(4);
    // The last file is shorter: the capacity ends in it.
    expect(placeRecords(files, 121).contiguous(990, 64)).toBe(10);
  });

  it('are read in requests of whole records', () => {
    expect(placeRecords(ring, 125).records(0, 6)).toEqual([
      { address: 2000, count: 104 },
      { address: 2104, count: 52 },
    ]);
  });

  it('are read in parts where a record is larger than a request', () => {
    expect(placeRecords(ring, 20).records(1, 2)).toEqual([
      { address: 2026, count: 20 },
      { address: 2046, count: 6 },
      { address: 2052, count: 20 },
      { address: 2072, count: 6 },
    ]);
  });
});
