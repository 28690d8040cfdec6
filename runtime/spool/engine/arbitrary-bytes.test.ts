// Whatever stands in the files: reading them ends, throws nothing, and makes up nothing.
import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
import { testSpaces, walKey } from './testing/test-engine.ts';
import { decodeValuePointer, encodeValueHead, encodeValuePointer, valueRecordsIn } from './value-record.ts';
import { decodeOps, encodeOps } from './wal-ops.ts';
import { encodeHead } from './wal-record.ts';
import { readWal } from './wal-replay.ts';
import { walValuesOf } from './wal-values.ts';

const rounds = 10_000;
const random = seededRandom(20_261_122);

function noise(most: number): Buffer {
  return Buffer.from(Array.from({ length: randomInt(random, most) }, () => randomInt(random, 256)));
}

/** Pieces of what is right, pieces of noise, cut anywhere, with bits turned over. */
function spoilt(pieces: readonly Uint8Array[]): Buffer {
  const mixed = pieces.flatMap((piece) => {
    const from = random.next() < 0.2 ? randomInt(random, piece.byteLength + 1) : 0;
    return random.next() < 0.3 ? [noise(40), piece.subarray(from)] : [piece.subarray(from)];
  });
  const bytes = Buffer.concat(mixed);
  for (let flips = randomInt(random, 3); flips > 0 && bytes.byteLength > 0; flips--) {
    const at = randomInt(random, bytes.byteLength);
    bytes[at] = bytes[at]! ^ (1 << randomInt(random, 8));
  }
  return bytes.subarray(0, bytes.byteLength - randomInt(random, 1 + (bytes.byteLength >> 2)));
}

function record(sequence: number, payload: Uint8Array): Buffer {
  const kind = random.next() < 0.2 ? 'checkpoint' : 'batch';
  const generation = 1 + randomInt(random, 3);
  const head = { generation, sequence, synced: random.next() < 0.5, kind } as const;
  return Buffer.concat([encodeHead(head, [payload]), payload]);
}

const key = walKey(1, 42);

describe('arbitrary bytes', () => {
  it('in the write-ahead log, also under sums that are right, is no more than records that do not count', () => {
    const checkpoint = encodeCheckpoint({
      applied: 2,
      generations: [1],
      retained: [['5701', 0, 99]],
      values: [],
    });
    const ops = Buffer.concat(
      encodeOps([
        { type: 'put', key, value: Buffer.from('value') },
        {
          type: 'put-pointer',
          key,
          pointer: { segment: 1, offset: 2, length: 3 },
          value: Buffer.from('abc'),
        },
      ]),
    );
    for (let n = 0; n < rounds; n++) {
      const records = Array.from({ length: randomInt(random, 5) }, (_, at) => {
        const choice = random.next();
        const payload =
          choice < 0.3 ? noise(60) : choice < 0.6 ? spoilt([ops]) : choice < 0.8 ? ops : checkpoint;
        return record(at + 1, payload);
      });
      const files = [
        { name: 'a', bytes: spoilt(records) },
        { name: 'b', bytes: noise(200) },
      ];
      const contents = readWal(files);
      expect(contents.before.length + contents.after.length).toBeLessThanOrEqual(records.length);
      for (const { payload } of contents.after) {
        for (const { op } of decodeOps(payload))
          expect(op.key.byteLength).toBeLessThanOrEqual(payload.byteLength);
      }
      walValuesOf(contents, testSpaces);
    }
  });

  it('in the value log yields only what has a head with a right sum', () => {
    const value = Buffer.alloc(30, 7);
    const body = Buffer.concat([encodeValueHead(key, value.byteLength), value]);
    for (let n = 0; n < rounds; n++) {
      for (const found of valueRecordsIn(spoilt([body, noise(50), body]))) {
        expect(found.key.equals(key)).toBe(true);
        expect(found.length).toBe(value.byteLength);
      }
    }
  });

  it('is neither a pointer nor a checkpoint', () => {
    const pointer = { segment: 1, offset: 2, length: 3 };
    for (let n = 0; n < rounds; n++) {
      const bytes = spoilt([encodeValuePointer(key, pointer)]);
      const found = decodeValuePointer(key, bytes);
      if (found !== undefined) expect(found).toEqual(pointer);
      expect(decodeCheckpoint(noise(60))).toBeUndefined();
    }
    for (const text of [
      'null',
      '1',
      '{}',
      '{"applied":1,"generations":[],"retained":[5],"values":[]}',
      '{"applied":1,"generations":[],"retained":[["x",0,1]],"values":[]}',
    ]) {
      expect(decodeCheckpoint(Buffer.from(text))).toBeUndefined();
    }
  });
});
