// Sealed stores on a real disk: what stands in the files, keys that change, keys that are lost, and the way back.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { randomInt, seededRandom } from '../../../kernel/random.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { decodeBody } from '../../../wire/body.ts';
import type { Reading } from '../../../wire/reading.ts';
import { verifySpool } from '../../cli/spool/verify.ts';
import type { Outgoing } from '../../uplink/lanes.ts';
import { MemoryStore } from '../engine/testing/memory-store.ts';
import { idKey } from '../format/keys.ts';
import { plainCodec, type RecordCodec } from '../format/record.ts';
import { keyIdOf } from '../format/sealed-envelope.ts';
import { openSpoolEngine, readSpoolFiles } from '../format/spool-engine.ts';
import { salvage } from '../repair/salvage.ts';
import { SpoolReader } from '../repair/spool-reader.ts';
import { openSpool, type Spool } from '../spool.ts';
import { all, change, closed, openTestSpool, takeAll, window } from '../testing/open-test-spool.ts';
import { keyBytes, plainAfter, sealedWith } from '../testing/sealed.ts';
import { missingKeys, readKeyRecord, recordKey } from './key-record.ts';

const root = quickFolder('sealed');
let made = 0;
const newFolder = () => join(root, `${made++}`);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const lines: string[] = [];
const note = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
const log: Log = { ...silentLog, info: note, warn: note, error: note, child: () => log };

const open = (folder: string, codec: RecordCodec, more: object = {}) =>
  openSpool({
    folder,
    codec,
    clock: new VirtualClock(),
    random: seededRandom(1),
    log,
    metrics: noMetrics,
    encode: { schema: 'readings/1', gzip: false },
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
    ...more,
  });

const tag = 'secret-tag';
const secrets = [tag, 'secret-value', 'secret-setting', 'secret-waiting', '"q":'];
const readings = (start: number, end: number): Reading[] =>
  Array.from({ length: end - start }, (_, n) => {
    return { index: start + n, tag, value: `secret-value ${start + n}`, quality: 'good' };
  });

/** Something of every kind: closed and open windows, an answer, a refusal, a job, a setting, readings without a time. */
async function fill(spool: Spool, from: number): Promise<void> {
  const windows = [0, 10, 20, 30].map((n) => window(from + n, from + n + 10));
  const batches = windows.map((range) => {
    const batch = {
      batchId: 'press',
      index: 'sequence',
      window: range,
      readings: readings(range.start, range.end),
    };
    return { ...closed('press', range), batch: { ...batch, index: 'sequence' as const } };
  });
  await spool.commitWindows([change('press', batches)]);
  const [sent, refused] = await spool.take('live', { messages: 2, bytes: 1e9 });
  await spool.acknowledge([sent!]);
  await spool.reject(refused!, 'too large');
  const [found] = await spool.find('press', windows[0]!, 1);
  const job = { requestId: `job-${from}`, batchId: 'press', index: 'sequence', range: windows[0]! } as const;
  const state = { state: 'running', covered: [], voids: [], createdAt: 1, updatedAt: 1 } as const;
  await spool.save({ ...job, ...state }, { requeue: [found!.id] });
  await spool.putSetting('last-good', { host: 'secret-setting', from });
  await spool.time.appendProvisional({ sequence: from + 1, payload: Buffer.from('secret-waiting') });
  const append = { start: from + 40, end: from + 45, readings: readings(from + 40, from + 45) };
  await spool.commitWindows([{ batchId: 'press', index: 'sequence', closed: [], restart: false, append }]);
}

function filesUnder(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** `file: what was found`. */
function plaintextIn(folder: string): string[] {
  return filesUnder(folder).flatMap((file) => {
    const bytes = readFileSync(file);
    return secrets.filter((secret) => bytes.includes(secret)).map((secret) => `${file}: ${secret}`);
  });
}

const isSound = (folder: string, codec: RecordCodec) => {
  const files = readSpoolFiles(join(folder, 'store'));
  const findings = [...verifySpool(new SpoolReader(files, codec), files)];
  files.close();
  return findings.filter(({ severity }) => severity === 'damage');
};

function textOf({ message }: Outgoing): string[] {
  const { properties, contentEncoding, body } = message;
  const options = { schema: properties.schema ?? '', contentEncoding, index: 'sequence' as const };
  return decodeBody(body, options).map(({ value }) => String(value));
}

/** Every value that waits to be sent, in order of index. */
async function unsentIn(spool: Spool): Promise<string[]> {
  const taken = [...(await takeAll(spool, 'backlog')), ...(await takeAll(spool, 'live'))];
  spool.release(taken);
  return taken.flatMap(textOf).sort((a, b) => Number(a.slice(13)) - Number(b.slice(13)));
}

const valuesFrom = (from: number, to: number) => readings(from, to).map(({ value }) => String(value));
const quarantineIn = (folder: string) =>
  readdirSync(join(folder, 'quarantine')).map((name) => join(folder, 'quarantine', name));

describe('the files of a sealed store', () => {
  it('hold no tag, value, setting or job in the clear, through lives, compaction and quarantine', async () => {
    const [plain, sealed] = [newFolder(), newFolder()];
    for (const [folder, codec] of [
      [plain, plainCodec],
      [sealed, sealedWith('a')],
    ] as const) {
      for (let life = 0; life < 3; life++) {
        const spool = await open(folder, codec);
        await fill(spool, life * 100);
        if (life === 1) await spool.compact();
        await spool.close();
      }
      // One record damaged, so that its bytes are kept for people.
      const { store } = await openSpoolEngine({ folder: join(folder, 'store') });
      const key = idKey('r', 3);
      const value = Buffer.from((await store.get(key))!);
      value[value.byteLength - 1]! ^= 1;
      await store.batch([{ type: 'put', key, value }], { sync: true });
      await store.close();
      const spool = await open(folder, codec);
      await takeAll(spool, 'backlog');
      while (spool.stats().damaged === 0) await new Promise((resolve) => setImmediate(resolve));
      await spool.close();
      expect((await entriesOf(folder)).some(({ space }) => space === 'd')).toBe(true);
    }
    // Or else this test could not fail.
    expect(plaintextIn(plain).length).toBeGreaterThan(0);
    expect(await plaintextValuesIn(plain)).toBeGreaterThan(10);
    expect(plaintextIn(sealed)).toEqual([]);
    expect(await plaintextValuesIn(sealed)).toBe(0);
    const clear = (await entriesOf(sealed)).filter(({ keyId }) => keyId === undefined);
    expect(clear.map(({ key }) => key.toString())).toEqual(['mkeys']);
  });

  it('seal records of every kind, and leave one: which keys they take', async () => {
    const folder = newFolder();
    const spool = await open(folder, sealedWith('a'));
    await fill(spool, 0);
    await spool.close();
    const entries = await entriesOf(folder);
    const spaces = new Set(entries.map(({ space }) => space));
    for (const space of 'msnjraiubqxktv') expect(spaces, space).toContain(space);
    const clear = entries.filter(({ keyId }) => keyId === undefined).map(({ key }) => key.toString());
    expect(clear).toEqual(['mkeys']);
  });
});

/** Tables are packed, which may hide what stands in them: so the values too. */
async function plaintextValuesIn(folder: string): Promise<number> {
  const entries = await entriesOf(folder);
  return entries.filter(({ value }) => secrets.some((secret) => value.includes(secret))).length;
}

async function entriesOf(folder: string) {
  const { store } = await openSpoolEngine({ folder: join(folder, 'store') });
  const found = await store.range({ gte: Buffer.of(0), lt: Buffer.of(255), limit: 100_000 });
  await store.close();
  return found.map(({ key, value }) => {
    const space = String.fromCharCode(key[0]!);
    return { key: Buffer.from(key), value: Buffer.from(value), space, keyId: keyIdOf(value) };
  });
}

describe('a change of keys', () => {
  it('leaves older messages readable, says so until they are gone, and writes all else anew', async () => {
    const folder = newFolder();
    const steps: [RecordCodec, string[]][] = [
      [plainCodec, []],
      [sealedWith('a'), ['plain']],
      [sealedWith('a'), ['plain']],
      [sealedWith('b', 'a'), ['plain', sealedWith('a').keyId!]],
      [plainAfter('b', 'a'), [sealedWith('a').keyId!, sealedWith('b').keyId!]],
    ];
    for (const [n, [codec, former]] of steps.entries()) {
      const spool = await open(folder, codec);
      expect(spool.stats().repair, `step ${n}`).toBeUndefined();
      const { encryption } = spool.stats();
      expect(encryption?.former ?? [], `step ${n}`).toEqual(former);
      expect(encryption?.keyId, `step ${n}`).toBe(codec.keyId);
      expect(await spool.getSetting('last-good')).toEqual(
        n === 0 ? undefined : { host: 'secret-setting', from: (n - 1) * 100 },
      );
      expect(await spool.jobs()).toHaveLength(n);
      expect(await spool.time.readProvisional()).toHaveLength(n);
      await fill(spool, n * 100);
      await spool.close();
      expect(isSound(folder, codec), `step ${n}`).toEqual([]);
      const others = (await entriesOf(folder)).filter(({ keyId }) => keyId !== codec.keyId);
      for (const { key } of others) expect(key.toString()).toMatch(/^[abiqrux]|^mkeys$/);
    }
    const spool = await open(folder, plainAfter('b', 'a'));
    const expected = steps.flatMap((_, n) => valuesFrom(n * 100 + 20, n * 100 + 45));
    expect(await unsentIn(spool)).toEqual(expected);
    await spool.close();
  });

  it('is over once retention has removed what the old key sealed; then that key can go', async () => {
    const folder = newFolder();
    const clock = new VirtualClock();
    const more = { clock, retention: { reserveBytes: 0, archiveMs: 1000, unsentMs: 1000 } };
    const first = await open(folder, sealedWith('a'), more);
    await fill(first, 0);
    await first.close();
    const second = await open(folder, sealedWith('b', 'a'), more);
    await fill(second, 100);
    expect(second.stats().encryption?.former).toEqual([sealedWith('a').keyId]);
    await clock.advance(60_000);
    await second.acknowledge(await takeAll(second, 'backlog'));
    await second.acknowledge(await takeAll(second, 'backfill'));
    await clock.advance(600_000);
    await second.compact();
    await second.compact();
    expect(second.stats().encryption?.former).toEqual([]);
    await second.close();
    const third = await open(folder, sealedWith('b'), more);
    expect(third.stats()).toMatchObject({ encryption: { former: [], quarantinedStores: [] } });
    expect(third.stats().repair).toBeUndefined();
    await third.close();
  });

  it('that is cut off at any write is finished by the next start', async () => {
    for (let cut = 1; cut < 12; cut++) {
      const store = new MemoryStore();
      const { spool } = await openTestSpool(store);
      await fill(spool, 0);
      await spool.close();
      const middle = store.restarted();
      let left = cut;
      middle.faults.beforeBatch = async () => {
        if (--left < 0) await new Promise(() => {});
      };
      const dying = openTestSpool(middle, { codec: sealedWith('a') });
      await Promise.race([dying, new Promise((resolve) => setTimeout(resolve, 5))]);
      const { spool: next } = await openTestSpool(middle.restarted(), { codec: sealedWith('a') });
      expect(next.stats()).toMatchObject({ damaged: 0, encryption: { former: ['plain'] } });
      expect(await unsentIn(next), `cut at write ${cut}`).toEqual(valuesFrom(20, 45));
      expect(await next.getSetting('last-good')).toEqual({ host: 'secret-setting', from: 0 });
      await next.close();
    }
  });
});

describe('a store whose key is not given', () => {
  it.each([
    ['wrong', sealedWith('wrong')],
    ['lost', plainCodec],
  ])(
    'because it is %s goes to quarantine whole, the module goes on, and salvage brings it back',
    async (_, other) => {
      const folder = newFolder();
      const first = await open(folder, sealedWith('a'));
      await fill(first, 0);
      await first.close();
      lines.length = 0;

      const second = await open(folder, other);
      const [quarantine] = quarantineIn(folder);
      expect(quarantine).toMatch(/-sealed$/);
      expect(second.stats().repair?.reason).toContain(`sealed with key ${sealedWith('a').keyId}`);
      expect(second.stats().encryption).toMatchObject({ quarantinedStores: [quarantine] });
      expect(second.stats().damaged).toBeGreaterThan(0);
      const said = lines.join('\n');
      expect(said).toContain(`holdfast spool salvage ${quarantine} NEWFOLDER`);
      for (const form of ['hex', 'base64'] as const) expect(said).not.toContain(keyBytes('a').toString(form));
      // It works: and claims nothing of what it cannot see, so that is a gap.
      expect(await unsentIn(second)).toEqual([]);
      expect(second.stream('press')).toBeUndefined();
      await fill(second, 1000);
      await second.close();
      const again = await open(folder, other);
      expect(again.stats().repair).toBeUndefined();
      expect(await unsentIn(again)).toEqual(valuesFrom(1020, 1045));
      await again.close();

      const target = newFolder();
      const files = readSpoolFiles(quarantine!);
      const { store: out } = await openSpoolEngine({ folder: join(target, 'store') });
      const report = await salvage(new SpoolReader(files, sealedWith('a')), out);
      await out.close();
      files.close();
      expect(report).toMatchObject({ lostMessages: 0, lostRecordCount: 0, lostWindowCount: 0 });
      const back = await open(target, sealedWith('a'));
      expect(await unsentIn(back)).toEqual(valuesFrom(20, 45));
      expect(await back.getSetting('last-good')).toEqual({ host: 'secret-setting', from: 0 });
      expect(await back.time.readProvisional()).toHaveLength(1);
      await back.close();
      expect(plaintextIn(target)).toEqual([]);
    },
  );

  it('keeps what can be read of a mixed store, and all of it quarantine', async () => {
    const folder = newFolder();
    for (const [n, codec] of [plainCodec, sealedWith('a')].entries()) {
      const spool = await open(folder, codec);
      await fill(spool, n * 100);
      await spool.close();
    }
    const spool = await open(folder, sealedWith('b'));
    // The open window of the plain life became a message in the sealed one.
    expect(await unsentIn(spool)).toEqual(valuesFrom(20, 40));
    await spool.close();
    expect(isSound(folder, sealedWith('b'))).toEqual([]);
    expect(
      (await entriesOf(folder)).every(({ keyId, key }) => keyId !== undefined || key.toString() === 'mkeys'),
    ).toBe(true);
    expect(quarantineIn(folder)).toHaveLength(1);
  });

  it('is never removed, however many others are quarantined', async () => {
    const folder = newFolder();
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    for (const [n, name] of names.entries()) {
      // Distinct times: the clock begins anew with each life.
      const clock = new VirtualClock();
      await clock.advance(n * 1000);
      const spool = await open(folder, sealedWith(name), { clock });
      await fill(spool, 0);
      await spool.close();
    }
    expect(quarantineIn(folder).filter((name) => name.endsWith('-sealed'))).toHaveLength(names.length - 1);
  });

  it('left by a start that was cut off is taken whole by the next one that has the key', async () => {
    const folder = newFolder();
    const first = await open(folder, sealedWith('a'));
    await fill(first, 0);
    await first.close();
    mkdirSync(join(folder, 'quarantine'));
    renameSync(join(folder, 'store'), join(folder, 'quarantine', '2026-11-21T000000.000Z-sealed-unsalvaged'));
    mkdirSync(join(folder, 'store.new'));
    writeFileSync(join(folder, 'store.new', 'CURRENT'), 'half');
    const next = await open(folder, sealedWith('a'));
    expect(await unsentIn(next)).toEqual(valuesFrom(20, 45));
    await next.close();
  });

  it('is used as it is when no record takes the key that it lists', async () => {
    const store = new MemoryStore();
    const { spool } = await openTestSpool(store, { codec: sealedWith('a') });
    expect((await readKeyRecord(store))?.writing).toBe(sealedWith('a').keyId);
    expect(await missingKeys(store, sealedWith('b'))).toEqual([]);
    await spool.putSetting('n', 1);
    expect(await missingKeys(store, sealedWith('b'))).toEqual([sealedWith('a').keyId]);
    // Also when the list itself is damaged.
    store.damage(recordKey, (value) => value.fill(0));
    expect(await missingKeys(store, sealedWith('b'))).toEqual([sealedWith('a').keyId]);
    expect(await missingKeys(store, sealedWith('b', 'a'))).toEqual([]);
    await spool.close();
  });
});

describe('damage to sealed records', () => {
  it('costs each its record, is quarantined and counted, and no false reading ever comes out (150 seeds)', async () => {
    const codec = sealedWith('a');
    const whole = new MemoryStore();
    const { spool } = await openTestSpool(whole, { codec });
    await fill(spool, 0);
    await spool.close();
    const truth = new Set(valuesFrom(0, 45));
    let lost = 0;
    for (let seed = 1; seed <= 150; seed++) {
      const random = seededRandom(seed);
      const store = whole.restarted();
      const messages = store.entries.filter(({ key }) => 'rjuaikt'.includes(String.fromCharCode(key[0]!)));
      for (let n = randomInt(random, 4); n >= 0; n--) {
        const one = messages[randomInt(random, messages.length)]!;
        const two = messages[randomInt(random, messages.length)]!;
        if (random.next() < 0.3) {
          // Two values change places.
          store.damage(one.key, () => two.value);
          store.damage(two.key, () => one.value);
        } else {
          store.damage(one.key, (value) => {
            value[randomInt(random, value.byteLength)]! ^= 1 << randomInt(random, 8);
            return value;
          });
        }
      }
      const { spool: next } = await openTestSpool(store, { codec });
      const taken = [...(await takeAll(next, 'backlog')), ...(await next.take('backfill', all))];
      const values = taken.flatMap(textOf);
      for (const value of values) expect(truth, `seed ${seed}`).toContain(value);
      await next.find('press', window(0, 1000), 100);
      await next.jobs();
      if (new Set(values).size < 35) {
        lost++;
        expect(next.stats().damaged, `seed ${seed}`).toBeGreaterThan(0);
      }
      await next.close();
    }
    expect(lost).toBeGreaterThan(20);
  });
});
