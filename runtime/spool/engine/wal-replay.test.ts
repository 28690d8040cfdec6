import { describe, expect, it } from 'vitest';
import { type Checkpoint, encodeCheckpoint } from './checkpoint.ts';
import { encodeOps } from './wal-ops.ts';
import { encodeHead, type RecordHead } from './wal-record.ts';
import { readWal } from './wal-replay.ts';

type Made = { readonly bytes: Buffer };

function record(head: Partial<RecordHead> & { sequence: number }, payload?: Buffer): Made {
  const pieces = [payload ?? Buffer.concat(encodeOps([{ type: 'del', key: Buffer.from('k') }]))];
  const whole = { generation: 1, synced: true, kind: 'batch', ...head } as const;
  return { bytes: Buffer.concat([encodeHead(whole, pieces), ...pieces]) };
}

function checkpoint(head: { generation: number; sequence: number }, more: Partial<Checkpoint> = {}): Made {
  const said = { applied: head.sequence - 1, generations: [], retained: [], values: [], ...more };
  return record({ ...head, kind: 'checkpoint' }, encodeCheckpoint(said));
}

const damaged = ({ bytes }: Made): Made => {
  const copy = Buffer.from(bytes);
  copy[copy.byteLength - 1]! ^= 1;
  return { bytes: copy };
};

const file = (name: string, ...made: Made[]) => ({
  name,
  bytes: Buffer.concat([...made.map(({ bytes }) => bytes), Buffer.alloc(100)]),
});

/** A log of one file. */
const readLog = (...made: Made[]) => readWal([file('a', ...made)]);

const sequences = (contents: ReturnType<typeof readWal>) => contents.after.map(({ sequence }) => sequence);

describe('the files of the write-ahead log', () => {
  it('are read in the order of their records, whatever order the files have', () => {
    const contents = readWal([
      file('b', record({ generation: 2, sequence: 3 }), record({ generation: 2, sequence: 4 })),
      file('a', record({ sequence: 1 }), record({ sequence: 2 })),
    ]);
    expect(sequences(contents)).toEqual([1, 2, 3, 4]);
    expect(contents).toMatchObject({ lastSequence: 4, lastGeneration: 2, clean: false });
    expect(contents.damage).toBeUndefined();
    expect(Object.fromEntries(contents.generations)).toEqual({ 1: 'a', 2: 'b' });
  });

  it('that are empty say nothing', () => {
    expect(readWal([])).toMatchObject({ after: [], before: [], lastSequence: 0, clean: false });
    expect(readWal([{ name: 'a', bytes: Buffer.alloc(5000) }]).lastSequence).toBe(0);
  });

  it('leave out what an earlier use of a file left behind', () => {
    const contents = readWal([
      // Generation 5 was written over generation 2, of which two records still stand.
      file(
        'a',
        record({ generation: 5, sequence: 12 }),
        record({ generation: 2, sequence: 4 }),
        record({ generation: 2, sequence: 5 }),
      ),
      file('b', checkpoint({ generation: 4, sequence: 11 }, { generations: [3] })),
      file('c', record({ generation: 3, sequence: 9 })),
    ]);
    expect(sequences(contents)).toEqual([11, 12]);
    expect(contents.before.map(({ sequence }) => sequence)).toEqual([9]);
    expect(contents.damage).toBeUndefined();
  });

  it('end where the power went: what was not synced before the last record is no damage', () => {
    const contents = readLog(
      record({ sequence: 1 }),
      damaged(record({ sequence: 2, synced: false })),
      record({ sequence: 3 }),
    );
    expect(sequences(contents)).toEqual([1]);
    expect(contents.damage).toBeUndefined();
  });

  it('end there too when unsynced records were still to come', () => {
    const contents = readLog(
      record({ sequence: 1 }),
      damaged(record({ sequence: 2, synced: false })),
      record({ sequence: 3, synced: false }),
      record({ sequence: 4, synced: false }),
    );
    expect(sequences(contents)).toEqual([1]);
    expect(contents.damage).toBeUndefined();
  });

  it('go on past damage, and tell: a synced record with another behind it proves that what is missing was durable', () => {
    const contents = readLog(
      record({ sequence: 1 }),
      damaged(record({ sequence: 2 })),
      record({ sequence: 3 }),
      record({ sequence: 4, synced: false }),
    );
    expect(sequences(contents)).toEqual([1, 3, 4]);
    expect(contents.damage).toMatch(/1 records? of the write-ahead log/);
  });

  it('never mix in what an earlier start dropped as torn', () => {
    const contents = readWal([
      // 3 and 4 stood behind the hole at 2; the next start wrote another 2.
      file(
        'a',
        record({ sequence: 1 }),
        damaged(record({ sequence: 2, synced: false })),
        record({ sequence: 3 }),
      ),
      file('b', record({ generation: 2, sequence: 2 })),
    ]);
    expect(contents.after.map(({ sequence, generation }) => [sequence, generation])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(contents.damage).toBeUndefined();
  });

  it('know a proper end, until something is written behind it', () => {
    const closed = [record({ sequence: 1 }), checkpoint({ generation: 1, sequence: 2 }, { clean: true })];
    expect(readLog(...closed).clean).toBe(true);
    const again = file('b', record({ generation: 2, sequence: 3 }));
    expect(readWal([file('a', ...closed), again]).clean).toBe(false);
  });

  it('fall back on the checkpoint before, when the last one is damaged', () => {
    const contents = readLog(
      checkpoint({ generation: 1, sequence: 1 }),
      record({ sequence: 2 }),
      damaged(checkpoint({ generation: 1, sequence: 3 })),
      record({ sequence: 4 }),
      record({ sequence: 5 }),
    );
    expect(sequences(contents)).toEqual([1, 2, 4, 5]);
    expect(contents.damage).toBeDefined();
  });
});
