import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { silentLog } from '../../kernel/log.ts';
import { systemRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { Database } from '../database/database.ts';
import { databaseError } from '../database/database-error.ts';
import { tellableTrouble } from '../health/trouble.ts';
import { sweep } from '../repair/sweep.ts';
import { arrive } from '../testing/arrivals.ts';
import { emptyDatabase } from '../testing/databases.ts';
import type { HttpOptions, Server } from './api.ts';
import * as schemas from './schemas.ts';
import { createHttpServer } from './server.ts';
import { turnLimits } from './turns.ts';

const token = 'a-token-of-sixteen-or-more';
const limits = {
  detectionDelayMs: 0,
  expiryMs: 1000,
  maxAttempts: 3,
  retryMs: 30_000,
  maxRange: { time: 1000, sequence: 1000 },
  maxActivePerDevice: 4,
  maxActive: 8,
};

/** The API over any database. */
export function httpContract(open: () => Database): void {
  describe('the HTTP API', () => {
    let database: Database;
    let server: Server;
    let clock: VirtualClock;
    let woken = 0;
    const servers: Server[] = [];

    const make = async (extra: Partial<HttpOptions> = {}) => {
      const made = await createHttpServer({
        database,
        clock,
        random: systemRandom,
        log: silentLog,
        limits,
        silenceMs: 300_000,
        state: () => ({ ingest: { running: true }, repair: { lastSweepAt: clock.now() } }),
        wake: () => {
          woken++;
        },
        metricsText: async () => 'a_metric 1\n',
        token,
        ...extra,
      });
      servers.push(made);
      return made;
    };
    const get = async (url: string) => {
      const response = await server.inject({ url });
      return { status: response.statusCode, type: response.headers['content-type'], body: response.json() };
    };
    const post = async (url: string, payload: object, authorization = `Bearer ${token}`) => {
      const response = await server.inject({ method: 'POST', url, payload, headers: { authorization } });
      return { status: response.statusCode, body: response.json() };
    };
    /** The answer fits its schema to the letter: nothing missing, nothing more. */
    const fits = (schema: z.ZodObject, values: readonly unknown[]) => {
      expect(values).not.toEqual([]);
      for (const value of values) schema.strict().parse(value);
    };

    beforeAll(() => {
      database = open();
    });
    beforeEach(async () => {
      await emptyDatabase(database);
      clock = new VirtualClock();
      woken = 0;
      server = await make();
    });
    afterAll(async () => {
      await Promise.all(servers.map((each) => each.close()));
    });

    test('without a built page the root says how to build one', async () => {
      const { statusCode, headers, body } = await server.inject({ url: '/' });
      expect({ statusCode, type: headers['content-type'] }).toEqual({ statusCode: 404, type: 'text/plain' });
      expect(body).toMatch(
        /npx node cloud-lite\/dashboard\/main\.ts FOLDER.*HOLDFAST_DASHBOARD_FOLDER=FOLDER/,
      );
    });

    const gapAndRequest = async () => {
      await arrive(
        database,
        [
          { start: 0, end: 10 },
          { start: 50, end: 60 },
          { start: 60, end: 65, void: 'evicted' },
        ],
        5,
      );
      await sweep(database, systemRandom, clock.now(), limits);
    };

    test('gives each list in the form that its document states', async () => {
      await gapAndRequest();
      fits(schemas.stream, (await get('/api/streams')).body.streams);
      fits(schemas.stream, [(await get('/api/streams/1')).body]);
      fits(schemas.gap, (await get('/api/gaps')).body.gaps);
      fits(schemas.request, (await get('/api/requests?state=open')).body.requests);
      fits(schemas.auditEntry, (await get('/api/audit')).body.audit);
      fits(schemas.summary, [(await get('/api/summary')).body]);
      fits(schemas.coverage, [(await get('/api/streams/1/coverage')).body]);
    });

    test('tells the fleet in figures', async () => {
      await gapAndRequest();
      await arrive(database, [{ device: 'e', start: 0, end: 1 }]);
      expect((await get('/api/summary')).body).toMatchObject({
        devices: 2,
        streams: 2,
        messages: 4,
        streamsWithGaps: 1,
        openGaps: 1,
        gapsFound: 1,
        gapsClosed: 0,
        pendingRequests: 1,
      });
    });

    test('pages through streams', async () => {
      await arrive(
        database,
        ['a', 'b', 'c'].map((device) => ({ device, start: 0, end: 1 })),
      );
      const first = (await get('/api/streams?limit=2')).body;
      expect(first.streams.map((stream: { deviceId: string }) => stream.deviceId)).toEqual(['a', 'b']);
      const second = (await get(`/api/streams?limit=2&after=${first.next}`)).body;
      expect(second).toMatchObject({ streams: [{ deviceId: 'c' }] });
      expect(second.next).toBeUndefined();
    });

    test.each([
      ['all of it', '', { from: 0, to: 65, delivered: 20 / 65, accounted: 25 / 65 }],
      [
        'a part',
        '?from=5&to=55',
        {
          from: 5,
          to: 55,
          covered: [
            [5, 10],
            [50, 55],
          ],
          gaps: [[10, 50]],
          delivered: 0.2,
        },
      ],
      [
        'a void',
        '?from=60&to=1000',
        { to: 65, delivered: 0, accounted: 1, voids: [{ start: 60, end: 65, reason: 'evicted' }] },
      ],
      [
        'nothing',
        '?from=500&to=600',
        { from: null, to: null, delivered: null, accounted: null, covered: [] },
      ],
    ])('says how complete a period is: %s', async (_, query, expected) => {
      await gapAndRequest();
      expect((await get(`/api/streams/1/coverage${query}`)).body).toMatchObject(expected);
    });

    test('a person asks for a range: what it lacks is requested, and repair is woken', async () => {
      await arrive(database, [
        { start: 0, end: 10 },
        { start: 20, end: 30 },
      ]);
      const { status, body } = await post('/api/streams/1/requests', { start: 5, end: 40 });
      expect(status).toBe(200);
      // Of what lies behind its end nobody knows that it was there.
      expect(body.ranges).toEqual([{ start: 10, end: 20 }]);
      expect(woken).toBe(1);
      expect((await get('/api/requests')).body.requests).toMatchObject([
        { origin: 'person', state: 'pending', streamId: 1 },
      ]);
      // What is asked for already is not asked for again.
      expect(await post('/api/streams/1/requests', { start: 5, end: 40 })).toMatchObject({
        status: 409,
        body: { code: 'http-nothing-to-do', title: 'Conflict' },
      });
    });

    test('a person cancels a request: its range is asked for no more, until a person asks again', async () => {
      await gapAndRequest();
      const [request] = (await get('/api/requests')).body.requests;
      const url = `/api/requests/${request.requestId}/cancel`;
      expect(await post(url, { reason: 'line is down for repairs' })).toMatchObject({ status: 200 });
      await sweep(database, systemRandom, clock.now(), limits);
      expect((await get('/api/streams/1')).body).toMatchObject({
        openRequests: 0,
        gaps: [[10, 50]],
        abandoned: [[10, 50]],
      });
      expect(await post(url, { reason: 'again' })).toMatchObject({ status: 409 });
      await post('/api/streams/1/requests', { start: 10, end: 50 });
      expect((await get('/api/streams/1')).body).toMatchObject({ openRequests: 1, abandoned: [] });
      expect((await get('/api/audit')).body.audit.map((entry: { event: string }) => entry.event)).toContain(
        'cancelled',
      );
    });

    test('a person waives a range: it is missing no more, its gap closes, data that comes still counts', async () => {
      await gapAndRequest();
      expect(
        await post('/api/streams/1/waivers', { start: 0, end: 30, reason: 'commissioning' }),
      ).toMatchObject({
        status: 200,
        body: { ranges: [{ start: 10, end: 30 }] },
      });
      expect((await get('/api/streams/1')).body).toMatchObject({ gaps: [[30, 50]], waived: [[10, 30]] });
      await post('/api/streams/1/waivers', { start: 30, end: 50, reason: 'commissioning' });
      await sweep(database, systemRandom, clock.now(), limits);
      expect((await get('/api/streams/1')).body).toMatchObject({ gaps: [], gapsClosed: 1, openRequests: 0 });
      await arrive(database, [{ start: 10, end: 50, backfill: true }]);
      expect((await get('/api/streams/1/coverage')).body).toMatchObject({ waived: [], covered: [[0, 60]] });
      expect(await post('/api/streams/1/waivers', { start: 0, end: 99, reason: 'none' })).toMatchObject({
        status: 409,
      });
    });

    test.each([
      ['no token', '', 401],
      ['another token', 'Bearer a-token-of-sixteen-or-morf', 401],
      ['another scheme', `Basic ${token}`, 401],
    ])('changes nothing for a caller with %s', async (_, authorization, status) => {
      await gapAndRequest();
      expect(
        await post('/api/streams/1/waivers', { start: 0, end: 30, reason: 'x' }, authorization),
      ).toMatchObject({
        status,
        body: { code: 'http-unauthorized' },
      });
      expect((await get('/api/streams/1')).body.waived).toEqual([]);
    });

    test('changes nothing where no token is configured', async () => {
      server = await make({ token: undefined });
      await gapAndRequest();
      expect(await post('/api/streams/1/requests', { start: 0, end: 30 })).toMatchObject({
        status: 403,
        body: { code: 'http-actions-disabled' },
      });
    });

    test.each([
      ['POST', '/api/streams/1/requests', { start: 5, end: 5 }, 400],
      ['POST', '/api/streams/1/requests', { start: 'now', end: 5 }, 400],
      ['POST', '/api/streams/1/waivers', { start: 1, end: 5 }, 400],
      ['POST', '/api/streams/99/requests', { start: 1, end: 5 }, 404],
      ['POST', '/api/requests/unknown/cancel', { reason: 'x' }, 404],
      ['GET', '/api/streams/99', undefined, 404],
      ['GET', '/api/streams/99/coverage', undefined, 404],
      ['GET', '/api/streams/1/coverage?from=5&to=5', undefined, 400],
      ['GET', '/api/streams?limit=100000', undefined, 400],
      ['GET', '/api/gaps?state=lost', undefined, 400],
      ['GET', '/nowhere', undefined, 404],
      ['GET', '/api/fleet?search=a%00b', undefined, 400],
      ['GET', '/api/streams?deviceId=%00', undefined, 400],
      ['GET', '/api/streams?batchId=a%00', undefined, 400],
      ['GET', '/api/requests?deviceId=a%00', undefined, 400],
      ['GET', '/api/requests?batchId=%00a', undefined, 400],
      ['POST', '/api/requests/a%00b/cancel', { reason: 'x' }, 400],
      ['POST', '/api/requests/unknown/cancel', { reason: 'x\0' }, 400],
      ['POST', '/api/requests/unknown/cancel', { reason: 'x\ud800' }, 400],
      ['POST', '/api/streams/1/waivers', { start: 1, end: 5, reason: '\0' }, 400],
      ['POST', '/api/streams/1/acceptances', { start: 1, end: 5, reason: '\udc00y' }, 400],
    ] as const)('%s %s with %o is %i, as problem details', async (method, url, payload, status) => {
      await gapAndRequest();
      const headers = { authorization: `Bearer ${token}` };
      const response = await server.inject({ method, url, headers, ...(payload ? { payload } : {}) });
      expect(response.statusCode).toBe(status);
      expect(response.headers['content-type']).toContain('application/problem+json');
      schemas.problem.strict().parse(response.json());
      expect(response.json()).toMatchObject({ status });
    });

    test('says 503 while the database is away, and nothing of a fault inside', async () => {
      const away = { ...database, query: () => Promise.reject(new TypeError('secret detail')) };
      server = await make({ database: away });
      expect(await get('/api/summary')).toMatchObject({ status: 500 });
      expect(JSON.stringify((await get('/api/summary')).body)).not.toContain('secret');
    });

    test('names no host while the database is away: neither in an answer, nor as ready or alive', async () => {
      const cause = new Error('getaddrinfo ENOTFOUND ledger.internal.example');
      const failure = databaseError(cause);
      server = await make({
        database: { ...database, query: () => Promise.reject(failure) },
        state: () => ({
          ingest: { running: true, trouble: tellableTrouble(cause) },
          repair: { lastSweepAt: clock.now(), trouble: tellableTrouble(failure) },
        }),
      });
      for (const url of ['/api/summary', '/api/fleet', '/readyz']) {
        const response = await server.inject({ url });
        expect(response.statusCode, url).toBe(503);
        expect(response.body, url).not.toContain('internal');
      }
      expect((await get('/readyz')).body.problems).toEqual([
        'ingest: no connection with the event hub',
        'repair: the database does not answer, or takes nothing (database-failed)',
      ]);
      expect((await server.inject({ url: '/healthz' })).body).not.toContain('internal');
      expect((await get('/api/summary')).body.code).toBe('database-failed');
    });

    test('answers health from memory, and the rest with 503, while the database gives no answer', async () => {
      const asked: string[] = [];
      const hangs = (sql: string) => {
        asked.push(sql);
        return new Promise<never>(() => {});
      };
      server = await make({ database: { ...database, query: hangs, transaction: () => hangs('a change') } });
      // An injected call begins when somebody waits for it.
      const call = async (n: number) => await server.inject({ url: `/api/fleet?offset=${n}` });
      const calls = Array.from({ length: 300 }, (_, n) => call(n));
      const refused = (response: { statusCode: number; headers: object; body: string }) => {
        expect(response.statusCode).toBe(503);
        expect(response.headers).toMatchObject({ 'retry-after': '5' });
        expect(JSON.parse(response.body)).toMatchObject({ code: 'http-busy' });
      };
      const running = database.engine === 'pglite' ? 1 : 2;
      const full = await Promise.all(calls.slice(running + turnLimits.waiting));
      full.forEach(refused);
      expect(asked).toHaveLength(running);
      expect((await get('/healthz')).status).toBe(200);
      expect((await get('/readyz')).status).toBe(200);
      expect((await server.inject({ url: '/metrics' })).statusCode).toBe(200);
      await clock.advance(turnLimits.limitMs);
      (await Promise.all(calls.slice(0, running + turnLimits.waiting))).forEach(refused);
    });

    test('is ready only while ingest and repair do their work', async () => {
      expect(await get('/readyz')).toMatchObject({ status: 200, body: { ready: true, problems: [] } });
      server = await make({
        state: () => ({ ingest: { running: true, trouble: 'no answer from the event hub' }, repair: {} }),
      });
      expect(await get('/readyz')).toMatchObject({
        status: 503,
        body: { problems: ['ingest: no answer from the event hub', 'repair: has not looked yet'] },
      });
      expect(await get('/healthz')).toMatchObject({ status: 200 });
    });

    test('is ready while repair looks as rarely as it was told to', async () => {
      const lookedAgo = (ms: number) => () => ({
        ingest: { running: true },
        repair: { lastSweepAt: clock.now() - ms },
      });
      server = await make({ state: lookedAgo(700_000), sweepIntervalMs: 600_000 });
      expect((await get('/readyz')).status).toBe(200);
      server = await make({ state: lookedAgo(1_800_001), sweepIntervalMs: 600_000 });
      expect((await get('/readyz')).body.problems).toEqual(['repair: has not looked for minutes']);
      server = await make({ state: lookedAgo(120_001) });
      expect((await get('/readyz')).status).toBe(503);
    });

    test('limits how often one address may call', async () => {
      server = await make({ callsPerMinute: 3 });
      const statuses = [];
      for (let i = 0; i < 5; i++) statuses.push((await get('/api/summary')).status);
      expect(statuses).toEqual([200, 200, 200, 429, 429]);
      expect((await get('/healthz')).status).toBe(200);
    });

    test('accounts for a period as CSV, stream by stream, and makes no formula of a name', async () => {
      const at = Date.UTC(2026, 10, 21);
      const range = (from: number, to: number) => ({ start: at + from * 1000, end: at + to * 1000 });
      await arrive(database, [
        { stream: 'a, "b"', index: 'time', ...range(0, 60) },
        { stream: 'a, "b"', index: 'time', ...range(60, 75.5), void: 'no-history' },
        { stream: 'a, "b"', index: 'time', ...range(90, 120) },
        { stream: '=1+1', start: 0, end: 10 },
        { stream: '=1+1', start: 10, end: 12, void: 'evicted' },
      ]);
      const url = `/api/account.csv?from=${at}&to=${at + 100_000}`;
      const { headers, body } = await server.inject(url);
      expect(headers['content-type']).toMatch(/^text\/csv/);
      expect(headers['content-disposition']).toBe(
        'attachment; filename="holdfast-2026-11-21-2026-11-21.csv"',
      );
      expect(body.split('\r\n')).toEqual([
        'device,module,stream,unit,state,there,void_or_waived,missing,of_it_given_up,not_heard_of,void_reasons,first,last',
        "d,m,'=1+1,records,lost,10,2,0,0,0,evicted 2,0,11",
        'd,m,"a, ""b""",s,missing,70,15.5,14.5,0,0,no-history 15.5,2026-11-21T00:00:00.000Z,2026-11-21T00:01:59.999Z',
        '',
      ]);
      const listed = (await server.inject(`${url}&state=missing`)).body.trim().split('\r\n');
      expect(listed.slice(1)).toEqual([expect.stringMatching(/^d,m,"a, ""b""",s,missing,/)]);
      expect((await server.inject(`/api/account.csv?from=${at}&to=${at}`)).statusCode).toBe(400);
      expect((await server.inject(`${url}&search=nothing`)).body.trim().split('\r\n')).toHaveLength(1);
    });

    test('describes itself: every path with its answers', async () => {
      const { body } = await get('/api/openapi.json');
      expect(body.openapi).toMatch(/^3\.1/);
      expect(Object.keys(body.paths).sort()).toEqual([
        '/api/account.csv',
        '/api/alerts',
        '/api/alerts/test',
        '/api/audit',
        '/api/configurations',
        '/api/events',
        '/api/fleet',
        '/api/gaps',
        '/api/gateways',
        '/api/gateways/{deviceId}/{moduleId}',
        '/api/requests',
        '/api/requests/{id}/cancel',
        '/api/set-aside',
        '/api/streams',
        '/api/streams/{id}',
        '/api/streams/{id}/acceptances',
        '/api/streams/{id}/coverage',
        '/api/streams/{id}/requests',
        '/api/streams/{id}/waivers',
        '/api/summary',
        '/api/trend',
        '/healthz',
        '/metrics',
        '/readyz',
      ]);
      const schema = body.paths['/api/streams'].get.responses['200'].content['application/json'].schema;
      expect(schema.properties.streams.items.properties.covered).toMatchObject({ type: 'array' });
      expect(body.paths['/api/streams/{id}/waivers'].post.security).toEqual([{ bearer: [] }]);
    });

    test('tells listeners which streams changed', async () => {
      await arrive(database, [{ start: 0, end: 10 }], clock.now());
      await server.listen({ host: '127.0.0.1', port: 0 });
      const address = server.server.address() as AddressInfo;
      const response = await fetch(`http://127.0.0.1:${address.port}/api/events`);
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let seen = '';
      // One read at a time, also over several looks: what a read brings that nobody waits for any more is lost.
      let reading = reader.read();
      const seeing = async (text: string) => {
        while (!seen.includes(text)) {
          await clock.advance(1000);
          const next = await Promise.race([
            reading,
            new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 50)),
          ]);
          if (next === undefined) continue;
          seen += next.value ?? '';
          reading = reader.read();
        }
      };
      await seeing('event: hello');
      await clock.advance(1000);
      await arrive(database, [{ device: 'e', start: 0, end: 10 }], clock.now());
      await seeing('data: {"streams":[2]');
      expect(seen).not.toContain('"streams":[1');
      await reader.cancel();
    });
  });
}
