import { describe, expect, it } from 'vitest';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { encodeCheckpoint } from './checkpoint.ts';
import { put, testSpaces, walKey } from './testing/test-engine.ts';
import { encodeOps } from './wal-ops.ts';
import { encodeHead } from './wal-record.ts';
import { readWal } from './wal-replay.ts';
import { WalValues, walValuesOf } from './wal-values.ts';

const pointer = (generation: number, offset = 0, length = 1) => ({ generation, offset, length });

describe('values of the log alone', () => {
  it('are found in the order of their keys, whatever order they came in: against a sorted list', () => {
    const random = seededRandom(3);
    const values = new WalValues();
    const model = new Map<string, number>();
    for (let n = 0; n < 3000; n++) {
      const key = walKey(randomInt(random, 5), randomInt(random, 40));
      const name = key.toString('hex');
      if (random.next() < 0.4) expect(values.remove(key)).toBe(model.delete(name));
      else {
        values.put(key, pointer(1 + randomInt(random, 3), n, n % 100));
        model.set(name, n);
      }
      if (n % 50 !== 0) continue;
      const [gte, lt] = [walKey(randomInt(random, 5), 7), walKey(1 + randomInt(random, 5), 13)];
      const expected = [...model]
        .filter(([each]) => each >= gte.toString('hex') && each < lt.toString('hex'))
        .sort(([a], [b]) => (a < b ? -1 : 1));
      const found = [...values.range(gte, lt)];
      expect(found.map(({ key: each, pointer: { offset } }) => [each.toString('hex'), offset])).toEqual(
        expected,
      );
      for (const [each, offset] of model)
        expect(values.find(Buffer.from(each, 'hex'))).toMatchObject({ offset, length: offset % 100 });
    }
  });

  it('name the generations that still hold one that counts', () => {
    const values = new WalValues();
    values.put(walKey(1, 1), pointer(1));
    values.put(walKey(2, 1), pointer(1));
    values.put(walKey(1, 2), pointer(2));
    values.remove(walKey(1, 1));
    expect(values.generations()).toEqual([1, 2]);
    // Written again, it lies in the newer segment alone.
    values.put(walKey(2, 1), pointer(3));
    expect(values.generations()).toEqual([2, 3]);
  });

  it('are told to a checkpoint as runs of counters', () => {
    const values = new WalValues();
    for (const counter of [3, 1, 2, 9]) values.put(walKey(1, counter), pointer(1));
    values.put(walKey(2, 0), pointer(1));
    expect(values.retained()).toEqual([
      ['5701', 1, 4],
      ['5701', 9, 10],
      ['5702', 0, 1],
    ]);
  });

  it('keep offsets of large segments and lengths of large values', () => {
    const values = new WalValues();
    const large = pointer(7, 64 * 1024 * 1024 - 1, 2 ** 25 - 1);
    values.put(walKey(1, 2 ** 48 - 1), large);
    expect(values.find(walKey(1, 2 ** 48 - 1))).toEqual(large);
  });

  it('are those that the checkpoint retained and those that came after it', () => {
    const batch = (sequence: number, counter: number) => {
      const pieces = encodeOps([put(walKey(1, counter), `v${counter}`)]);
      const head = { generation: 1, sequence, synced: true, kind: 'batch' } as const;
      return Buffer.concat([encodeHead(head, pieces), ...pieces]);
    };
    const said = encodeCheckpoint({ applied: 3, generations: [1], retained: [['5701', 2, 4]], values: [] });
    const checkpoint = encodeHead({ generation: 1, sequence: 4, synced: true, kind: 'checkpoint' }, [said]);
    const bytes = Buffer.concat([batch(1, 1), batch(2, 2), batch(3, 3), checkpoint, said, batch(5, 4)]);
    const { values, missing } = walValuesOf(readWal([{ name: 'a', bytes }]), testSpaces);
    expect(missing).toBe(0);
    const found = [...values.range()].map(({ pointer: { offset, length } }) =>
      bytes.toString('utf8', offset, offset + length),
    );
    expect(found).toEqual(['v2', 'v3', 'v4']);
    const [lost] = [bytes.subarray(batch(1, 1).byteLength + batch(2, 2).byteLength)];
    expect(walValuesOf(readWal([{ name: 'a', bytes: Buffer.from(lost!) }]), testSpaces).missing).toBe(1);
  });
});
