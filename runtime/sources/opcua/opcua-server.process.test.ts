// What the OPC UA source does with a server as it is found: its limits, its address space, its history, and each way
// in which it fails. node-opcua's server, with the plant's samples.
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../../kernel/errors.ts';
import type { Value } from '../../../wire/reading.ts';
import type { ProbedTag } from '../probe.ts';
import {
  byPlace,
  collect,
  hasReadings,
  inPages,
  never,
  scanMs,
  serverUnderTest,
  truthOf,
} from './testing/server-under-test.ts';
import { readingsOf } from './testing/watched-run.ts';

const server = serverUnderTest({ limits: { nodesPerRead: 5, itemsPerCall: 4, nodesPerHistoryRead: 3 } });
const { begin, sourceOf } = server;

/** All of these tags, and so many whose names begin with `prefix`. */
const hasTags =
  (names: readonly string[], prefix: string, count: number) => (events: Parameters<typeof readingsOf>[0]) => {
    const tags = new Set(readingsOf(events).map(({ tag }) => tag));
    return (
      names.every((name) => tags.has(name)) &&
      [...tags].filter((tag) => tag.startsWith(prefix)).length >= count
    );
  };

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
      sourceOf({
        history: undefined,
        snapshots: true,
        tags: [{ name: 'recipe', node: 'ns=1;s=setpoints.recipe' }],
      }),
    );
    const reaches = () => (run.sink.of('observed').at(-1)?.until ?? 0) - (run.sink.of('resumed')[0]?.at ?? 0);
    await run.until(() => run.sink.of('observed').length > 0 && reaches() > 11_000, 20_000);
    expect(run.sink.readings).toHaveLength(1);
    expect(run.sink.breaches()).toEqual([]);
  });

  it('reports the status of bad values', async () => {
    const run = begin(sourceOf());
    await run.until(hasReadings(10));
    await server.plant.setFaults({ units: { 21: { status: 'BadSensorFailure' } } });
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
    const write = (tag: string, value: Value, expected?: Value) =>
      source.write!({ tag, value, expected, onSend() {} }, never);
    for (const [tag, value] of Object.entries(wanted)) await write(tag, value);
    const last = () => Object.fromEntries(run.sink.readings.map(({ tag, value }) => [tag, value]));
    await run.until(() => JSON.stringify(last().limits) === '[4,5]');
    expect(last()).toMatchObject(wanted);
    await expect(write('count', 40_000)).rejects.toMatchObject({ code: 'opcua-bad-value' });
    await expect(write('enabled', 'yes')).rejects.toMatchObject({ code: 'opcua-bad-value' });
    await expect(write('fixed', 1)).rejects.toMatchObject({ code: 'opcua-write-refused' });
    await expect(write('unknown', 1)).rejects.toMatchObject({ code: 'source-read-only' });
    await expect(write('count', 5, 4)).rejects.toMatchObject({ code: 'source-not-as-expected' });
    await write('count', 5, -12);
    await expect(write('count', 6, -12)).rejects.toMatchObject({ code: 'source-not-as-expected' });
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
    await server.plant.setFaults({ history });
    const end = run.sink.readings[0]!.index;
    const start = end - 5000;
    const pages = [...(await collect(source, start, end))];
    // What the server may still add to is left for later.
    const reached = () => pages.at(-1)?.window.end ?? start;
    for (let tries = 0; reached() < end && tries < 50; tries++) {
      await delay(100);
      pages.push(...(await collect(source, reached(), end)));
    }
    expect(byPlace(inPages(pages))).toEqual(truthOf(server.plant, start, end));
    expect(pages.length).toBeGreaterThan(10);
    expect(pages.at(-1)!.window.end).toBe(end);
    const held = () =>
      server.plant.handle
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
      server.plant.handle
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
    await server.plant.setFaults({ history: 'unsupported' });
    expect(await collect(source, end - 1000, end)).toEqual([
      { kind: 'unavailable', window: { start: end - 1000, end }, reason: 'no-history' },
    ]);
    await server.plant.setFaults({ history: null });
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
    const known = begin(
      sourceOf({ history: { since } }, { start: () => ({ floor: 5, continuity: 'proven' }) }),
    );
    await known.until(hasReadings(10));
    expect(known.sink.of('resumed')).toHaveLength(1);
  });
});

describe('what breaks observation', () => {
  it('is an overflow of a queue: the hole holds what was lost, and no more is missing', async () => {
    const source = sourceOf({ publishMs: 500, keepAliveMs: 1000 });
    const run = begin(source);
    await run.until(hasReadings(60));
    await server.plant.setFaults({ queueSize: 2 });
    await run.until((events) => events.some((event) => event.kind === 'broken'));
    await server.plant.setFaults({ queueSize: null });
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
    const truth = truthOf(server.plant, resumes[0]!.at, run.sink.readings.at(-1)!.index);
    expect(truth.size).toBeGreaterThan(100);
    for (const [place, value] of truth) expect(found.get(place), place).toEqual(value);
  });

  it.each([
    ['a session that the server ends', 'dropSessions', /^opcua-(session|subscription)-lost$/],
    ['a subscription that the server ends', 'dropSubscriptions', /^opcua-subscription-lost$/],
  ] as const)('is %s', async (_name, fault, code) => {
    const run = begin(sourceOf());
    await run.until(hasReadings(10));
    await server.plant.setFaults({ [fault]: true });
    expect(((await run.ended) as HoldfastError).code).toMatch(code);
  });

  it('is a half-open connection', async () => {
    const run = begin(sourceOf({ timeoutMs: 500 }));
    await run.until(hasReadings(10));
    await server.plant.setFaults({ silent: true });
    expect(((await run.ended) as HoldfastError).code).toBe('opcua-silent');
  });
});
