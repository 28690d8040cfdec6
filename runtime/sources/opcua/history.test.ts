import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../../kernel/errors.ts';
import type { HistoryPage } from '../history-page.ts';
import { createHistory } from './history.ts';
import type { HistoryRequest } from './opcua-session.ts';
import { Refusals } from './refusals.ts';
import { RepeatedTimes } from './repeated-times.ts';
import { every, never, readAll, readIn, serverWith, T, valuesAt } from './testing/history-judge.ts';
import type { Habits, HostileNode } from './testing/hostile-history.ts';

describe('a page of history', () => {
  it('comes of places that count from the start of their question, as open62541 has them: 25 minutes at 4 a second', async () => {
    const server = serverWith({ places: 'offset', most: 100 }, every(250, 6191));
    const range = { start: T + 1, end: T + 6191 * 250 };
    const answered = await readAll(server, range, 1000, 1);
    expect(answered.until).toBe(range.end);
    expect(readIn(answered)).toHaveLength(6190);
    expect(server.changed).toBe(0);
  });

  // Several values share a time, over the ends of answers, too.
  const uneven = every(10, 300).flatMap((time) => (time % 40 === 0 ? [time, time, time] : [time]));

  it.each<[string, Partial<Habits>]>([
    ['fewer values than were asked for, and no place', { places: 'none', most: 7 }],
    ['fewer at random, and no place', { places: 'none', most: 9, isShort: true }],
    ['as many as were asked for, and no place', { places: 'none' }],
    ['nothing, and a place', { isSlow: true }],
    ['a place that it then refuses', { forgets: true, most: 7 }],
    ['no more at once than share a time, and no place', { places: 'none', most: 3 }],
    ['no more than that, besides values from outside', { places: 'none', most: 3, bounds: 'values' }],
    ['GoodMoreData to no more than that, and no place', { places: 'none', most: 3, saysMore: true }],
    ['a refusal of what does not fit', { places: 'refused' }],
    ['values from outside', { bounds: 'values' }],
    ['statuses for bounds that are not there', { bounds: 'statuses', hasEnd: true }],
    ['the last value once more', { seam: 'repeats', most: 7 }],
    ['what follows the time of the last value', { seam: 'skips-time', most: 7 }],
    ['all but one value after a place', { seam: 'skips-one', most: 7 }],
    ['values from amid those that share a time', { beginsAmid: true }],
    ['GoodMoreData, and a place', { saysMore: true, most: 7 }],
    ['GoodMoreData, and no place', { saysMore: true, most: 7, places: 'none' }],
    ['Good to an empty range', { emptyStatus: 'Good' }],
    ['BadNoData to an empty range', { emptyStatus: 'BadNoData' }],
    ['no word from late to early', { back: 'empty' }],
    ['from early to late, whichever way it is asked', { back: 'forward' }],
    ['that it cannot look back', { back: 'unsupported' }],
    ['server times alone, and says Good', { times: 'server-silent' }],
    ['BadTimestampNotSupported until only server times are asked for', { times: 'server' }],
    ['BadTimestampNotSupported until only source times are asked for', { times: 'source' }],
  ])('is whole of a server that answers %s', async (_name, habits) => {
    const range = { start: T + 5, end: T + 2985 };
    const answered = await readAll(serverWith(habits, uneven), range, 10);
    expect(answered.error).toBeUndefined();
    expect(answered.until).toBe(range.end);
    expect(readIn(answered)).toHaveLength(uneven.filter((time) => time >= 5 && time < 2985).length);
  });

  it('is not made where a server does not show that it is all: the same is asked later', async () => {
    // Three values share a time, of which places give two; from the other side it shows nothing.
    const server = serverWith(
      { places: 'kept', most: 2, seam: 'skips-time', back: 'refused' },
      [0, 50, 50, 50, 90],
    );
    const { until, error } = await readAll(server, { start: T + 10, end: T + 100 }, 10, 3);
    expect(until).toBe(T + 50);
    expect((error as HoldfastError).message).toContain(
      "the history of 't0' cannot be read now: more of its values",
    );
  });

  it('is not made where more values share a time than come at once, without a word of the rest', async () => {
    for (const [back, shared] of [
      ['right', 4],
      ['forward', 3],
      ['empty', 3],
    ] as const) {
      const times = [0, 30, ...Array.from({ length: shared }, () => 50), 90, 95];
      for (const saysMore of [false, true]) {
        const server = serverWith({ places: 'none', most: 3, back, saysMore }, times);
        const { until } = await readAll(server, { start: T + 10, end: T + 94 }, 10, 3);
        expect(until, back).toBeLessThanOrEqual(T + 50);
      }
    }
  });

  it.each([
    'GoodResultsMayBeIncomplete',
    'UncertainNotAllNodesAvailable',
    'BadDataUnavailable',
    'BadTimestampNotSupported',
    'BadTimeout',
  ])('is not made of an answer with %s', async (name) => {
    const server = serverWith({}, every(10, 50));
    server.status = { value: name.startsWith('Bad') ? 0x8000_0000 : 0x40c0_0000, name };
    const { until, error } = await readAll(server, { start: T + 10, end: T + 100 }, 10, 2);
    expect(until).toBe(T + 10);
    expect((error as HoldfastError).message).toContain(name);
  });

  it('says where the server itself lost something, and what a historian put in between', async () => {
    const server = serverWith({}, every(10, 10));
    server.status = { value: 0x809d_0000, name: 'BadDataLost' };
    const interpolated = { value: 0x0402, name: 'Good' };
    const recorded = valuesAt(every(10, 10)).map((value, at) =>
      at === 5 ? { ...value, statusCode: interpolated } : value,
    );
    server.nodes.set('n=t0', { kind: 'kept', recorded, gone: 0 });
    const answered = await readAll(server, { start: T + 10, end: T + 80 }, 100, 1);
    const marked = readIn(answered).map(({ index, quality }) => [index - T, quality]);
    expect(marked[0]).toEqual([10, 'bad:data-lost']);
    expect(marked).toContainEqual([50, 'uncertain:interpolated']);
  });

  it('ends where the server may still write', async () => {
    const server = serverWith({}, every(10, 50));
    server.now = T + 200;
    const answered = await readAll(server, { start: T + 10, end: T + 400 }, 100, 1);
    expect(answered.until).toBe(T + 200);
  });
});

describe('a node without history', () => {
  const range = { start: T + 15, end: T + 95 };
  const withOther = (kind: HostileNode['kind'], missing = new Map<string, string>()) => {
    const server = serverWith({}, every(10, 20));
    server.nodes.set('n=t1', { kind, recorded: valuesAt(every(7, 20)), gone: 0 });
    return readAll(server, range, 3, 2, { missing });
  };

  it.each([
    ['unsupported', 'bad:no-history'],
    ['no-access', 'bad:no-history'],
    ['denied', 'bad:user-access-denied'],
    ['unknown', 'bad:node-id-unknown'],
  ] as const)('(%s) is marked on each page, beside others that have some: %s', async (kind, quality) => {
    const { pages, until } = await withOther(kind);
    expect(until).toBe(range.end);
    expect(pages.length).toBeGreaterThan(2);
    for (const page of pages) {
      if (page.kind !== 'readings') throw new Error('a void');
      expect(page.readings.filter(({ tag }) => tag === 't1')).toEqual([
        { index: page.window.start, tag: 't1', value: null, quality },
      ]);
    }
  });

  it('is waited for at first: it may be there in a moment', async () => {
    const server = serverWith({}, every(10, 20));
    server.nodes.set('n=t1', { kind: 'unknown', recorded: [], gone: 0 });
    const { pages, error } = await readAll(server, range, 3, 9, { patience: 60_000 });
    expect(pages).toEqual([]);
    expect((error as HoldfastError).message).toMatch(/'t1'.*node-id-unknown.*stays so for 10 minutes/);
    expect((await readAll(server, range, 3, 12, { patience: 60_000 })).until).toBe(range.end);
  });

  it('and a tag whose node was not found is marked, too', async () => {
    const { pages } = await withOther('kept', new Map([['lost', 'no-match']]));
    for (const page of pages)
      expect(page.kind === 'readings' && page.readings[0]).toMatchObject({
        tag: 'lost',
        quality: 'bad:no-match',
      });
  });

  it.each(['unsupported', 'no-access'] as const)('(%s) and alone is void', async (kind) => {
    const server = serverWith({}, []);
    server.nodes.set('n=t0', { kind, recorded: valuesAt(every(10, 20)), gone: 0 });
    const { pages } = await readAll(server, range, 3, 1);
    expect(pages.map(({ kind: of, window }) => [of, window])).toEqual([['unavailable', range]]);
    expect(pages[0]).toMatchObject({ reason: 'no-history' });
  });

  it.each([
    [
      'denied',
      /'t0' cannot be read now: the server answers user-access-denied|does not give the history of 't0' \(user-access-denied\): grant it/,
    ],
    ['unknown', /node-id-unknown|has none of the nodes whose history is asked for/],
  ] as const)('(%s) and alone is asked for again: it may be there', async (kind, message) => {
    const server = serverWith({}, []);
    server.nodes.set('n=t0', { kind, recorded: valuesAt(every(10, 20)), gone: 0 });
    const { pages, error, problems } = await readAll(server, range, 3, 2);
    expect(pages).toEqual([]);
    expect((error as HoldfastError).message).toMatch(message);
    expect(problems).toEqual([expect.stringMatching(message), expect.stringMatching(message)]);
  });
});

describe('a memory that does not reach so far back', () => {
  it('is void up to its oldest value, also where that lies behind the range', async () => {
    const server = serverWith({}, every(10, 100), 40);
    const before = await readAll(server, { start: T + 5, end: T + 205 }, 10, 1);
    expect(before.pages.map(({ kind, window }) => [kind, window.start - T, window.end - T])).toEqual([
      ['unavailable', 5, 205],
    ]);
    const { pages, until } = await readAll(server, { start: T + 5, end: T + 805 }, 10, 1);
    expect(pages[0]).toMatchObject({ reason: 'history-expired', window: { start: T + 5, end: T + 400 } });
    expect(until).toBe(T + 805);
  });

  it('is not void up to the oldest value of another node, where the server shows one from outside and says that there is more', async () => {
    const server = serverWith({ places: 'kept', most: 7 }, every(10, 100), 40);
    server.nodes.set('n=t1', { kind: 'kept', recorded: valuesAt(every(10, 100)), gone: 70 });
    const session = server.session();
    const read = async (request: HistoryRequest) => {
      const results = await session.historyRead(request);
      return results.map((result, at) => {
        const { nodeId, continuation } = request.nodes[at]!;
        const isFirst = nodeId === 'n=t0' && !continuation && request.valuesPerNode === 1;
        if (!isFirst || !result.continuation) return result;
        const before = new Date(Math.min(request.start, request.end) - 1);
        const values = result.values.map((value) => ({
          ...value,
          sourceTimestamp: before,
          serverTimestamp: before,
        }));
        return { ...result, values };
      });
    };
    server.session = () => ({ ...session, historyRead: read });
    const { pages } = await readAll(server, { start: T + 5, end: T + 805 }, 10, 2);
    expect(pages[0]).toMatchObject({ reason: 'history-expired', window: { start: T + 5, end: T + 400 } });
  });

  it('is not void where the server shows nothing at all: perhaps it has only begun', async () => {
    const server = serverWith({}, every(10, 40), 40);
    expect(await readAll(server, { start: T + 5, end: T + 205 }, 10, 2)).toMatchObject({
      pages: [],
      until: T + 5,
    });
  });

  it('is marked where it is that of some tags, until their first value', async () => {
    const server = serverWith({}, every(10, 100));
    server.nodes.set('n=t1', { kind: 'kept', recorded: valuesAt(every(10, 100)), gone: 30 });
    const { pages } = await readAll(server, { start: T + 105, end: T + 505 }, 10, 1);
    const marked = pages.flatMap((page) =>
      page.kind === 'readings' && page.readings.some(({ quality }) => quality === 'bad:history-expired')
        ? [page.window]
        : [],
    );
    expect(marked.length).toBeGreaterThan(0);
    expect(marked[0]!.start).toBe(T + 105);
    expect(marked.at(-1)!.start).toBeLessThanOrEqual(T + 300);
  });

  it('moves on while it is read: what was not read before that is void, and never empty', async () => {
    const server = serverWith({}, every(10, 300));
    const range = { start: T + 5, end: T + 2500 };
    const nodes = new Map([['t0', 'n=t0']]);
    const link = {
      session: server.session(),
      nodes,
      missing: new Map(),
      findMissing: async () => {},
      settleMs: () => 0,
    };
    const refusals = new Refusals({ monotonic: () => 0 });
    const pages = createHistory({
      link: () => link,
      valuesPerNode: 10,
      refusals,
      repeated: new RepeatedTimes({ monotonic: () => 0 }),
    }).read(range, never);
    const reading = pages[Symbol.asyncIterator]();
    const { window } = (await reading.next()).value as HistoryPage;
    server.nodes.get('n=t0')!.gone = 200;
    await expect(
      (async () => {
        for (;;) if ((await reading.next()).done) break;
      })(),
    ).rejects.toThrow("the server's memory moved on");
    const later = await readAll(server, { start: window.end, end: range.end }, 10, 1);
    expect(later.until).toBe(range.end);
    expect(later.pages[0]).toMatchObject({ reason: 'history-expired', window: { end: T + 2000 } });
  });
});
