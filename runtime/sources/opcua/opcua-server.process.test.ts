// What the OPC UA source does with a server as it is found: its security, its limits, its address space, its
// history, and each way in which it fails. node-opcua's server, with the plant's samples.
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import type { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { type OpcuaPlant, startOpcuaPlant } from '../../../lab/plant/opcua-plant.ts';
import { opcuaSources } from '../../../lab/plant/opcua-site.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { ProbedTag } from '../probe.ts';
import type { HistoryPage, Source } from '../source.ts';
import { opcuaSourceSchema } from './config.ts';
import { createOpcuaSource, type OpcuaSourceDeps } from './opcua-source.ts';
import { readingsOf, type WatchedRun, watchRun } from './testing/watched-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-opcua-server-'));
const scanMs = 50;
const never = new AbortController().signal;
let plant: OpcuaPlant;
const runs: WatchedRun[] = [];
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => unhandled.push(reason);

beforeAll(async () => {
  plant = await startOpcuaPlant({
    scanMs,
    prefillS: 20,
    folder: join(folder, 'plant'),
    limits: { nodesPerRead: 5, itemsPerCall: 4, nodesPerHistoryRead: 3 },
  });
});

afterAll(async () => {
  await plant?.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', onUnhandled);
});

afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.stop()));
  await plant.setFaults({
    history: null,
    queueSize: null,
    units: null,
    unreachable: null,
    silent: null,
    delayMs: null,
  });
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
});

function sourceOf(change: object = {}, deps: Partial<OpcuaSourceDeps> = {}): Source {
  const [kiln] = opcuaSources(plant.info, { publishMs: scanMs, timeoutMs: 10_000 });
  const config = opcuaSourceSchema.parse({ ...kiln, keepAliveMs: 200, latenessMs: 150, ...change });
  const usual = { clock: systemClock, log: silentLog, metrics: noMetrics, folder: join(folder, 'gateway') };
  return createOpcuaSource(config, { ...usual, ...deps });
}

function begin(source: Source): WatchedRun {
  const run = watchRun(source);
  runs.push(run);
  return run;
}

async function failure(source: Source): Promise<HoldfastError> {
  return (await watchRun(source).ended) as HoldfastError;
}

async function collect(source: Source, start: number, end: number): Promise<HistoryPage[]> {
  const pages: HistoryPage[] = [];
  for await (const page of source.history!.read({ start, end }, never)) pages.push(page);
  return pages;
}

const inPages = (pages: readonly HistoryPage[]): readonly Reading[] =>
  pages.flatMap((page) => (page.kind === 'readings' ? page.readings : []));

/** By time and tag, as the plant knows it. */
function truthOf(from: number, to: number): Map<string, unknown> {
  const truth = [...plant.truth(21, { from, to })];
  return new Map(
    truth.flatMap(({ timestamp, values }) =>
      Object.entries(values).map(([tag, v]) => [`${timestamp} ${tag}`, v]),
    ),
  );
}

const byPlace = (readings: readonly Reading[]) =>
  new Map(readings.map((r) => [`${r.index} ${r.tag}`, r.value]));

const hasReadings = (count: number) => (events: Parameters<typeof readingsOf>[0]) =>
  readingsOf(events).length >= count;

/** All of these tags, and so many whose names begin with `prefix`. */
const hasTags =
  (names: readonly string[], prefix: string, count: number) => (events: Parameters<typeof readingsOf>[0]) => {
    const tags = new Set(readingsOf(events).map(({ tag }) => tag));
    return (
      names.every((name) => tags.has(name)) &&
      [...tags].filter((tag) => tag.startsWith(prefix)).length >= count
    );
  };

describe('security', () => {
  const secure = { security: { mode: 'SignAndEncrypt', policy: 'Basic256Sha256' } };

  it('refuses a server that nobody trusts, says where its certificate goes, and reads it once it is there', async () => {
    const own = join(folder, 'careful');
    const source = sourceOf(secure, { folder: own });
    const error = await failure(source);
    expect(error.code).toBe('opcua-certificate-untrusted');
    const [, saved, to] = /saved as (\S+): .* put it at (\S+)$/.exec(error.message)!;
    expect(dirname(saved!)).toBe(join(own, 'rejected'));
    expect(dirname(to!)).toBe(join(own, 'trusted'));
    renameSync(saved!, to!);
    const run = begin(source);
    await run.until(hasReadings(20));
    expect(run.sink.breaches()).toEqual([]);
  });

  it.each(['Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'])('speaks %s, and Sign alone', async (policy) => {
    const own = join(folder, 'careful');
    for (const mode of ['Sign', 'SignAndEncrypt']) {
      const run = begin(sourceOf({ security: { mode, policy } }, { folder: own }));
      await run.until(hasReadings(10));
      await run.stop();
    }
  });

  it('takes the strongest security that the server offers, unless it is told otherwise', async () => {
    const error = await failure(sourceOf({ security: {} }, { folder: join(folder, 'other') }));
    expect(error.code).toBe('opcua-certificate-untrusted');
  });

  it('finds the server that is named among those that a server knows of, or says which there are', async () => {
    const security = { mode: 'None' };
    const named = begin(sourceOf({ security, applicationUri: plant.info.namespaceUri }));
    await named.until(hasReadings(10));
    const error = await failure(sourceOf({ security, applicationUri: 'urn:nobody' }));
    expect(error.code).toBe('opcua-no-endpoint');
    expect(error.message).toContain(`It knows: ${plant.info.namespaceUri}`);
  });

  it('keeps its own certificate', async () => {
    const names = readdirSync(join(folder, 'careful', 'own')).sort();
    expect(names).toEqual(['certificate.pem', 'key.pem']);
  });

  it('signs a user in by the password in a file, and says who was refused', async () => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, `${plant.info.user.password}\n`);
    const as = (identity: object) => sourceOf({ ...secure, identity }, { folder: join(folder, 'careful') });
    const run = begin(as({ kind: 'user', name: 'operator', passwordFile }));
    await run.until(hasReadings(10));
    const wrong = join(folder, 'wrong-password');
    writeFileSync(wrong, 'guess');
    const refused = await failure(as({ kind: 'user', name: 'operator', passwordFile: wrong }));
    expect(refused.code).toBe('opcua-identity-refused');
    expect(refused.message).toContain("'operator'");
    const missing = await failure(as({ kind: 'user', name: 'operator', passwordFile: join(folder, 'none') }));
    expect(missing.code).toBe('opcua-identity-missing');
    const environment = { OPC_PASSWORD: plant.info.user.password };
    const fromEnvironment = sourceOf(
      { ...secure, identity: { kind: 'user', name: 'operator', passwordEnvironment: 'OPC_PASSWORD' } },
      { folder: join(folder, 'careful'), environment },
    );
    await begin(fromEnvironment).until(hasReadings(10));
  });

  it('signs in with a certificate of the user', async () => {
    const own = join(folder, 'careful');
    const certificateFile = join(own, 'own', 'certificate.pem');
    const keyFile = join(own, 'own', 'key.pem');
    const run = begin(
      sourceOf({ ...secure, identity: { kind: 'certificate', certificateFile, keyFile } }, { folder: own }),
    );
    await run.until(hasReadings(10));
  });
});

describe('the address space', () => {
  it('finds tags by browse path and by namespace, reads whole folders, and goes on without what is not there', async () => {
    const source = sourceOf({
      history: undefined,
      // The set points were set long ago; the plant's own configuration leaves such values out.
      snapshots: true,
      tags: [
        { name: 'by path', path: '1:Plant/1:kiln/1:temperature' },
        { name: 'server', node: 'i=2256' },
        { name: 'gone', node: 'ns=1;s=kiln.nothing' },
        { name: 'lost', path: '1:Plant/1:kiln/1:nothing' },
        { name: 'elsewhere', node: 'nsu=urn:nobody;s=kiln.flow' },
      ],
      folders: [{ path: '1:Plant/1:tank', prefix: 'tank.' }, { node: 'ns=1;s=setpoints' }],
    });
    const run = begin(source);
    // Each by name, not so many readings: a busy server samples what it computes after the rest.
    await run.until(
      hasTags(['gone', 'lost', 'elsewhere', 'by path', 'server', 'limits', 'total'], 'tank.', 10),
    );
    const found = new Map(run.sink.readings.map((reading) => [reading.tag, reading]));
    expect(found.get('gone')).toMatchObject({ value: null, quality: 'bad:node-id-unknown' });
    expect(found.get('lost')).toMatchObject({ value: null, quality: 'bad:no-match' });
    expect(found.get('elsewhere')).toMatchObject({ value: null, quality: 'bad:namespace-unknown' });
    expect(typeof found.get('by path')?.value).toBe('number');
    // ServerStatusDataType, a structure with structures in it.
    expect(found.get('server')?.value).toMatchObject({ state: 0, buildInfo: { buildNumber: '0' } });
    expect([...found.keys()].filter((tag) => tag.startsWith('tank.'))).toHaveLength(10);
    expect(found.get('limits')).toMatchObject({ value: [1, 2, 3], quality: 'good' });
    expect(found.get('total')?.value).toBe(5);
    expect(run.sink.breaches()).toEqual([]);
  });

  it('observes a value that does not change through the keep-alives', async () => {
    const run = begin(
      sourceOf({ history: undefined, tags: [{ name: 'recipe', node: 'ns=1;s=setpoints.recipe' }] }),
    );
    const reaches = () => (run.sink.of('observed').at(-1)?.until ?? 0) - (run.sink.of('resumed')[0]?.at ?? 0);
    await run.until(() => run.sink.of('observed').length > 0 && reaches() > 11_000, 20_000);
    expect(run.sink.readings).toHaveLength(1);
    expect(run.sink.breaches()).toEqual([]);
  }, 40_000);

  it('reports the status of bad values', async () => {
    const run = begin(sourceOf());
    await run.until(hasReadings(10));
    await plant.setFaults({ units: { 21: { status: 'BadSensorFailure' } } });
    await run.until((events) => readingsOf(events).some(({ quality }) => quality === 'bad:sensor-failure'));
  });

  it('probes: each tag once, with its type, time and what is wrong', async () => {
    const tags = [
      { name: 'label', node: 'ns=1;s=kiln.label' },
      { name: 'gone', node: 'ns=1;s=kiln.nothing' },
      { name: 'lost', path: '1:Plant/1:nothing' },
    ];
    const found: ProbedTag[] = [];
    for await (const tag of sourceOf({ tags }).probe!(never)) found.push(tag);
    const byTag = new Map(found.map((tag) => [tag.tag, tag]));
    expect(byTag.get('label')).toMatchObject({
      quality: 'good',
      raw: { kind: 'text', text: 'String, Good' },
    });
    expect(byTag.get('label')?.timestamp).toBeGreaterThan(0);
    expect(byTag.get('gone')?.problem).toContain('BadNodeIdUnknown');
    expect(byTag.get('lost')?.problem).toContain('correct path');
  });
});

describe('writes', () => {
  it('in the type that the node has, and says what it takes instead', async () => {
    const names = ['speed', 'count', 'total', 'enabled', 'recipe', 'limits'];
    const tags = names.map((name) => ({ name, node: `ns=1;s=setpoints.${name}`, writable: true }));
    const source = sourceOf({
      history: undefined,
      tags: [...tags, { name: 'fixed', node: 'ns=1;s=kiln.flow', writable: true }],
    });
    const run = begin(source);
    await run.until(hasReadings(7));
    const wanted = {
      speed: 3.25,
      count: -12,
      total: '9007199254740993',
      enabled: false,
      recipe: 'B',
      limits: [4, 5],
    };
    for (const [tag, value] of Object.entries(wanted)) await source.write!(tag, value, never);
    const last = () => Object.fromEntries(run.sink.readings.map(({ tag, value }) => [tag, value]));
    await run.until(() => JSON.stringify(last().limits) === '[4,5]');
    expect(last()).toMatchObject(wanted);
    await expect(source.write!('count', 40_000, never)).rejects.toMatchObject({ code: 'opcua-bad-value' });
    await expect(source.write!('enabled', 'yes', never)).rejects.toMatchObject({ code: 'opcua-bad-value' });
    await expect(source.write!('fixed', 1, never)).rejects.toMatchObject({ code: 'opcua-write-refused' });
    await expect(source.write!('unknown', 1, never)).rejects.toMatchObject({ code: 'opcua-not-writable' });
  });
});

describe('history', () => {
  it.each([
    ['as it is', null],
    ['whose continuation points vanish', 'vanishing-points'],
    ['without continuation points, which refuses the rest', 'no-points'],
    ['without continuation points, which leaves out the rest', 'truncated'],
  ] as const)('of a server %s is whole, in pages', async (_name, history) => {
    const source = sourceOf({ history: { valuesPerNode: 7 } });
    const run = begin(source);
    await run.until(hasReadings(10));
    await plant.setFaults({ history });
    const end = run.sink.readings[0]!.index;
    const start = end - 5000;
    const pages = await collect(source, start, end);
    expect(byPlace(inPages(pages))).toEqual(truthOf(start, end));
    expect(pages.length).toBeGreaterThan(10);
    expect(pages.at(-1)!.window.end).toBe(end);
    const held = () =>
      plant.handle
        .sessions()
        .map(
          ({ continuationPointManager: points }) =>
            (points as unknown as { _map: Map<string, unknown> })._map.size,
        );
    await delay(200);
    expect(held()).toEqual([0]);
  });

  it('lets go of what the server holds when nobody reads on', async () => {
    const source = sourceOf({ history: { valuesPerNode: 7 } });
    const run = begin(source);
    await run.until(hasReadings(10));
    const end = run.sink.readings[0]!.index;
    const pages = source.history!.read({ start: end - 5000, end }, never)[Symbol.asyncIterator]();
    await pages.next();
    const sizes = () =>
      plant.handle
        .sessions()
        .map(
          ({ continuationPointManager: points }) =>
            (points as unknown as { _map: Map<string, unknown> })._map.size,
        );
    expect(sizes()[0]).toBeGreaterThan(0);
    await pages.return!();
    await delay(200);
    expect(sizes()).toEqual([0]);
  });

  it('that does not exist is void, and that of some tags alone is marked', async () => {
    const source = sourceOf();
    const run = begin(source);
    await run.until(hasReadings(10));
    const end = run.sink.readings[0]!.index;
    await plant.setFaults({ history: 'unsupported' });
    expect(await collect(source, end - 1000, end)).toEqual([
      { kind: 'unavailable', window: { start: end - 1000, end }, reason: 'no-history' },
    ]);
    await plant.setFaults({ history: null });
    const mixed = sourceOf({
      tags: [
        { name: 'flow', node: 'ns=1;s=kiln.flow' },
        { name: 'other', node: 'ns=1;s=tank.flow' },
      ],
    });
    const both = begin(mixed);
    await both.until(hasReadings(4));
    const readings = inPages(await collect(mixed, end - 1000, end));
    expect(readings.filter(({ tag }) => tag === 'other')).toEqual([
      { index: end - 1000, tag: 'other', value: null, quality: 'bad:no-history' },
    ]);
    expect(readings.filter(({ tag }) => tag === 'flow').length).toBeGreaterThan(10);
  });

  it('since a given time is asked for when a stream is new, and only then', async () => {
    const since = new Date(Date.now() - 5000).toISOString();
    const run = begin(sourceOf({ history: { since } }));
    await run.until(hasReadings(30));
    const [first, second] = run.sink.of('resumed');
    expect(Math.abs(first!.at - Date.parse(since))).toBeLessThanOrEqual(scanMs);
    expect(run.sink.of('broken')[0]).toEqual({
      kind: 'broken',
      at: first!.at + 1,
      reason: 'history-to-come',
    });
    expect(second!.at).toBeGreaterThan(first!.at + 1);
    expect(run.sink.breaches()).toEqual([]);
    const known = begin(sourceOf({ history: { since } }, { floor: () => 5 }));
    await known.until(hasReadings(10));
    expect(known.sink.of('resumed')).toHaveLength(1);
  });
});

describe('what breaks observation', () => {
  it('is an overflow of a queue: the hole holds what was lost, and no more is missing', async () => {
    const source = sourceOf({ publishMs: 500, keepAliveMs: 1000 });
    const run = begin(source);
    await run.until(hasReadings(60));
    await plant.setFaults({ queueSize: 2 });
    await run.until((events) => events.some((event) => event.kind === 'broken'));
    await plant.setFaults({ queueSize: null });
    expect(run.sink.of('broken')[0]?.reason).toBe('queue-overflow');
    const after = run.sink.of('resumed').at(-1)!.at;
    await run.until(() => (run.sink.readings.at(-1)?.index ?? 0) > after + 200);
    await run.stop();
    const again = sourceOf();
    await begin(again).until(hasReadings(1));
    const readings = [...run.sink.readings];
    const breaks = run.sink.of('broken');
    const resumes = run.sink.of('resumed');
    for (const [at, { at: start }] of breaks.entries())
      readings.push(...inPages(await collect(again, start, resumes[at + 1]!.at)));
    expect(run.sink.breaches()).toEqual([]);
    const found = byPlace(readings.sort((a, b) => a.index - b.index));
    const truth = truthOf(resumes[0]!.at, run.sink.readings.at(-1)!.index);
    expect(truth.size).toBeGreaterThan(100);
    for (const [place, value] of truth) expect(found.get(place), place).toEqual(value);
  });

  it.each([
    ['a session that the server ends', 'dropSessions', /^opcua-(session|subscription)-lost$/],
    ['a subscription that the server ends', 'dropSubscriptions', /^opcua-subscription-lost$/],
  ] as const)('is %s', async (_name, fault, code) => {
    const run = begin(sourceOf());
    await run.until(hasReadings(10));
    await plant.setFaults({ [fault]: true });
    expect(((await run.ended) as HoldfastError).code).toMatch(code);
  });

  it('is a half-open connection', async () => {
    const run = begin(sourceOf({ timeoutMs: 500 }));
    await run.until(hasReadings(10));
    await plant.setFaults({ silent: true });
    expect(((await run.ended) as HoldfastError).code).toBe('opcua-silent');
  });
});
