// What `holdfast spool` says of a stopped spool, whatever is left of its files, is what the module finds at its next start.
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { decodeBody } from '../../wire/body.ts';
import { plainCodec, type RecordCodec } from '../spool/format/record.ts';
import { openSpool, type Spool } from '../spool/spool.ts';
import { filesOf, fingerprint, makeFolder, removeFolders } from '../spool/testing/folders.ts';
import { change, closed, takeAll, window } from '../spool/testing/open-test-spool.ts';
import { keyBytes, sealedWith } from '../spool/testing/sealed.ts';
import { jsonLines, spool } from './testing/spool-commands.ts';

const open = (data: string, codec: RecordCodec): Promise<Spool> =>
  openSpool({
    folder: join(data, 'spool'),
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    codec,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });

/** 20 windows that were sent, 20 that wait, in two lives. The values of some stand in the value log alone. */
async function makeSpool(codec: RecordCodec): Promise<string> {
  const data = makeFolder();
  for (const from of [0, 20]) {
    const written = await open(data, codec);
    for (let n = from; n < from + 20; n++)
      await written.commitWindows([change('a', [closed('a', window(n * 100, n * 100 + 100))])]);
    if (from === 0) await written.acknowledge(await takeAll(written, 'live'));
    await written.close();
  }
  return data;
}

const templates = new Map<RecordCodec, string>();
const codecs: Record<string, RecordCodec> = { plain: plainCodec, encrypted: sealedWith('a') };
let keyFile: string;
beforeAll(async () => {
  // Where a salvage is rehearsed.
  process.env.TMPDIR = makeFolder();
  for (const codec of Object.values(codecs)) templates.set(codec, await makeSpool(codec));
  keyFile = join(makeFolder(), 'key');
  writeFileSync(keyFile, keyBytes('a').toString('hex'));
});
afterAll(removeFolders);

const store = (data: string, ...names: string[]) => join(data, 'spool', 'store', ...names);
const removeAll = (data: string, but: readonly string[]) => {
  for (const name of readdirSync(store(data)))
    if (!but.includes(name)) rmSync(store(data, name), { recursive: true });
};
const cut = (path: string, share: number) =>
  truncateSync(path, Math.floor(readFileSync(path).byteLength * share));

const damages: Record<string, (data: string) => void> = {
  'nothing gone': () => {},
  'FORMAT.json gone': (data) => rmSync(join(data, 'spool', 'FORMAT.json')),
  'CURRENT gone': (data) => rmSync(store(data, 'CURRENT')),
  'MANIFEST empty': (data) => writeFileSync(filesOf(store(data), /^MANIFEST/)[0]!, ''),
  'MANIFEST cut': (data) => cut(filesOf(store(data), /^MANIFEST/)[0]!, 0.6),
  'every table gone': (data) => filesOf(store(data), /ldb$/).map((path) => rmSync(path)),
  'the index gone': (data) => removeAll(data, ['wal', 'values']),
  'the index and FORMAT.json gone': (data) => {
    removeAll(data, ['wal', 'values']);
    rmSync(join(data, 'spool', 'FORMAT.json'));
  },
  'the index and the mark gone': (data) => {
    removeAll(data, ['wal', 'values']);
    rmSync(join(data, 'spool', 'high-water.json'));
  },
  'only the value log left': (data) => removeAll(data, ['values']),
  'only the write-ahead log left': (data) => removeAll(data, ['wal']),
  'the write-ahead log gone': (data) => rmSync(store(data, 'wal'), { recursive: true }),
  'the end of the write-ahead log gone': (data) => {
    for (const path of filesOf(store(data, 'wal'), /wal$/)) cut(path, 0.02);
  },
  'the value log gone': (data) => rmSync(store(data, 'values'), { recursive: true }),
  'the value log cut': (data) => cut(filesOf(store(data, 'values'), /values$/)[0]!, 0.5),
  'the value log cut, and no index': (data) => {
    removeAll(data, ['wal', 'values']);
    cut(filesOf(store(data, 'values'), /values$/)[0]!, 0.5);
  },
};

/** Which readings the module sends once it was started, and how many messages it has. */
async function nextStart(data: string, codec: RecordCodec) {
  const started = await open(data, codec);
  const stored = started.stats().stored.messages;
  const isRepaired = started.stats().repair?.quarantine !== undefined;
  const indexes: number[] = [];
  for (const { message } of await takeAll(started, 'backlog')) {
    const { schema = '' } = message.properties;
    const { contentEncoding } = message;
    for (const { index } of decodeBody(message.body, { schema, contentEncoding, index: 'sequence' }))
      indexes.push(index);
  }
  await started.close();
  return { stored, isRepaired, indexes: indexes.sort((x, y) => x - y) };
}

describe.each(Object.keys(codecs))('of a spool that is %s', (kind) => {
  const codec = codecs[kind]!;
  const keys = () => (kind === 'plain' ? [] : ['--key-file', keyFile]);

  const some = kind === 'plain' ? /./ : /CURRENT|index|left/;
  it.each(Object.keys(damages).filter((what) => some.test(what)))('with %s', async (what) => {
    const data = makeFolder();
    cpSync(templates.get(codec)!, data, { recursive: true });
    damages[what]!(data);
    const before = fingerprint(data);
    const stats = await spool('stats', data, '--json', ...keys());
    const verify = await spool('verify', data, '--json', ...keys());
    const exported = await spool('export', data, '--lane', 'unsent', ...keys());
    expect(fingerprint(data)).toEqual(before);
    const next = await nextStart(data, codec);

    expect(stats.code, stats.err).toBe(0);
    const shown = jsonLines(exported.out).map(({ index }) => index as number);
    expect(shown.sort((x, y) => x - y)).toEqual(next.indexes);
    const found = JSON.parse(stats.out);
    if (next.isRepaired) {
      expect(found.stored.messages).toBe(next.stored);
      expect(stats.err).toContain('the next start moves the store to quarantine, and salvages it');
      expect(verify.code).toBe(1);
      expect(verify.out).toContain('the next start moves the store to quarantine, and salvages it');
    } else expect(stats.err + verify.out).not.toContain('the next start moves the store');
    // What waited and can still be read is never shown as lost, nor as sent.
    if (!/value log (gone|cut)|only the write-ahead/.test(what))
      expect(next.indexes).toEqual(expect.arrayContaining(Array.from({ length: 2000 }, (_, n) => n + 2000)));
  });

  it('salvage of what is left of it is what the module would make of it', async () => {
    const [data, target] = [makeFolder(), join(makeFolder(), 'saved')];
    cpSync(templates.get(codec)!, data, { recursive: true });
    removeAll(data, ['values']);
    const { code, out } = await spool('salvage', data, target, '--json', ...keys());
    expect([code, JSON.parse(out).unsent]).toEqual([1, 40]);
    const saved = await nextStart(target, codec);
    expect(saved).toMatchObject({ stored: 40, isRepaired: false });
    expect(saved.indexes).toEqual((await nextStart(data, codec)).indexes);
  });
});

it('without the key nothing is called lost: what is shown is what can be read without it', async () => {
  const data = makeFolder();
  cpSync(templates.get(codecs.encrypted!)!, data, { recursive: true });
  removeAll(data, ['wal', 'values']);
  const before = fingerprint(data);
  for (const command of ['stats', 'export', 'verify']) {
    const { code, out, err } = await spool(command, data);
    expect(code, command).toBe(command === 'stats' ? 0 : 1);
    expect(out + err).toContain('shown is what can be read of it without the keys that it takes');
    expect(err).toContain('which was not given');
    expect(out + err).not.toMatch(/\d+ messages? and|All is lost/);
  }
  expect(fingerprint(data)).toEqual(before);
});

it('of a folder in which nothing of a store is left, the next start is told', async () => {
  const data = makeFolder();
  cpSync(templates.get(plainCodec)!, data, { recursive: true });
  for (const left of [['wal', 'values'], []]) {
    removeAll(data, left);
    for (const name of left) {
      for (const file of readdirSync(store(data, name))) rmSync(store(data, name, file));
    }
    const { code, out, err } = await spool('stats', data);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/the store is gone.*All is lost that was in it/);
  }
});
