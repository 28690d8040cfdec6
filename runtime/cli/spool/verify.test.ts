import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../spool/engine/testing/memory-store.ts';
import {
  idKey,
  indexKey,
  journalKey,
  queuedKey,
  sizeClassOf,
  stateKey,
  streamKey,
  textKey,
} from '../../spool/format/keys.ts';
import { encodePointer } from '../../spool/format/message-record.ts';
import { plainCodec, sealJson } from '../../spool/format/record.ts';
import { SpoolReader } from '../../spool/repair/spool-reader.ts';
import { sourceOf } from '../../spool/repair/testing/memory-source.ts';
import { all, change, closed, openTestSpool, window } from '../../spool/testing/open-test-spool.ts';
import { verifySpool } from './verify.ts';

/** Messages 1 to 4 of stream `a` (number 1): 1 acknowledged, 2 queued for backfill too, the rest unsent; a journal. */
async function makeSpool(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const { spool } = await openTestSpool(store);
  const windows = [0, 10, 20, 30].map((start) => closed('a', window(start, start + 10)));
  await spool.commitWindows([change('a', windows)]);
  const [first] = await spool.take('live', { messages: 1, bytes: 1e9 });
  await spool.acknowledge([first!]);
  const job = { requestId: 'job', batchId: 'a', index: 'sequence', range: window(0, 10) } as const;
  await spool.save(
    { ...job, state: 'running', covered: [], voids: [], createdAt: 1, updatedAt: 1 },
    { requeue: [first!.id] },
  );
  for (const end of [42, 44, 46]) {
    const append = { start: 40, end, readings: [] };
    await spool.commitWindows([{ batchId: 'a', index: 'sequence', closed: [], restart: false, append }]);
  }
  await spool.close();
  return store;
}

const verify = (store: MemoryStore) => [...verifySpool(new SpoolReader(sourceOf(store)))];
const flip = (value: Buffer) => {
  value[value.length - 1]! ^= 1;
  return value;
};
const gone = () => undefined;
const indexed = (start: number, id: number) => indexKey(1, sizeClassOf(window(start, start + 10)), start, id);

describe('verifying a spool', () => {
  it('finds nothing in what the module wrote, journal, job and lanes included', async () => {
    expect(verify(await makeSpool())).toEqual([]);
    expect(verify(new MemoryStore())).toEqual([]);
  });

  // One row per kind of record and reference: what was done to the store, then what must be said of which key.
  const id = (n: number) => n.toString(16).padStart(12, '0');
  it.each<[string, Uint8Array, (value: Buffer) => Uint8Array | undefined, string, RegExp]>([
    ['a message', idKey('r', 2), flip, `r:${id(2)}`, /sum/],
    ['a message gone', idKey('r', 3), gone, `u:${id(3)}`, /message 3 is missing/],
    ['an archived message gone', idKey('r', 1), gone, `r:${id(1)}`, /missing, though the index/],
    ['a pointer', idKey('u', 2), flip, `u:${id(2)}`, /sum/],
    ['an index entry', indexed(10, 2), flip, `i:`, /sum/],
    ['an index entry gone', indexed(10, 2), gone, `r:${id(2)}`, /index does not name it/],
    ['an entry of the order', idKey('a', 2), flip, `a:${id(2)}`, /sum/],
    ['an entry of the order gone', idKey('a', 2), gone, `r:${id(2)}`, /retention would never/],
    ['a backfill entry gone', idKey('b', 5), gone, `q:${id(1)}${id(5)}`, /not at place 5/],
    ['a backfill key gone', queuedKey(1, 5), gone, `b:${id(5)}`, /does not know/],
    ['a journal record', journalKey(1, 1), flip, 'j:', /sum/],
    ['a journal record gone', journalKey(1, 1), gone, 'j:', /1 journal records before/],
    ['a stream', textKey('s', 'a'), flip, 's:a', /sum/],
    ['a stream gone', textKey('s', 'a'), gone, 'n:00000001', /no record of its own/],
    ['a job', textKey('t', 'job'), flip, 't:job', /sum/],
    ['the state', stateKey, flip, 'm:state', /sum/],
    ['the state gone', stateKey, gone, 'm:state', /missing/],
    ['a record cut short', idKey('r', 2), () => Buffer.of(1, 2), `r:${id(2)}`, /cut short/],
  ])('names %s', async (_what, key, change, named, reason) => {
    const store = await makeSpool();
    store.damage(key, change);
    const findings = verify(store);
    const match = findings.filter((finding) => finding.key.startsWith(named) && reason.test(finding.reason));
    expect(match, JSON.stringify(findings)).toHaveLength(1);
    expect(match[0]!.severity).toBe('damage');
  });

  it('names every key when a stream is gone altogether', async () => {
    const store = await makeSpool();
    store.damage(textKey('s', 'a'), gone);
    store.damage(streamKey(1), gone);
    const reasons = verify(store).map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason.includes('stream (number 1) is unknown'))).toHaveLength(4);
    expect(reasons.filter((reason) => reason.includes('whose stream is unknown'))).toHaveLength(1);
    expect(reasons.filter((reason) => reason.startsWith('job job is for stream a'))).toHaveLength(1);
  });

  it('sees records that are whole and do not belong: strange keys, pointers to nowhere, wrong counters', async () => {
    const store = await makeSpool();
    const more = store.restarted();
    const seal = (kind: 'P' | 'M', key: Uint8Array, payload: Uint8Array) =>
      plainCodec.seal(kind, key, payload);
    const nowhere = idKey('u', 99);
    await more.batch(
      [
        { type: 'put', key: Buffer.from('zebra'), value: Buffer.from('stripes') },
        { type: 'put', key: Buffer.from('r12'), value: Buffer.from('short') },
        {
          type: 'put',
          key: nowhere,
          value: seal('P', nowhere, encodePointer({ id: 99, bytes: 1, queuedAt: 1 })),
        },
        { type: 'put', key: idKey('r', 2), value: seal('M', idKey('r', 2), Buffer.from('not a message')) },
      ],
      { sync: true },
    );
    const found = verify(more).map(({ key, reason }) => `${key} ${reason}`);
    for (const text of [
      /^z:.* no such key space/,
      /^r:3132 the key has 3 bytes/,
      /^u:0+63 .*message 99 is missing/,
    ]) {
      expect(
        found.filter((line) => text.test(line)),
        String(text),
      ).toHaveLength(1);
    }
    expect(found.some((line) => /^r:0+2 a message record does not parse/.test(line))).toBe(true);
    expect(
      found.some((line) => /^m:state the state counts 3 unsent messages, but there are 4/.test(line)),
    ).toBe(true);
    expect(found.some((line) => /the next id would be/.test(line))).toBe(true);
  });

  it('takes what the module quarantined, and what the hub refused, for what they are', async () => {
    const store = await makeSpool();
    const { spool } = await openTestSpool(store.restarted());
    await spool.close();
    const next = store.restarted();
    const { spool: again } = await openTestSpool(next);
    const [entry] = await again.take('backlog', all);
    await again.reject(entry!, 'too large');
    await again.close();
    const quarantine = idKey('d', 50);
    await next.restarted().batch(
      [
        {
          type: 'put',
          key: quarantine,
          value: sealJson(plainCodec, 'D', quarantine, { key: '72', error: 'the sum' }),
        },
      ],
      {
        sync: true,
      },
    );
    expect(verify(next)).toEqual([]);
  });
});
