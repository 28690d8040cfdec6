import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { authorizeByEntra, authorizeByKey } from './authorize.ts';
import { createHubRest } from './hub-rest.ts';
import { createRestHubMethods } from './rest-hub-methods.ts';

const connection = {
  hostName: 'hub.example:8443',
  keyName: 'service',
  key: Buffer.from('key').toString('base64'),
};
const never = new AbortController().signal;

type Call = { url: string; headers: Record<string, string>; body: Record<string, unknown> };

function setUp(respond: (call: Call, signal: AbortSignal) => Response | Promise<Response>) {
  const clock = new VirtualClock();
  const calls: Call[] = [];
  const fakeFetch = (async (
    url: string,
    init: { headers: Record<string, string>; body: string; signal: AbortSignal },
  ) => {
    const call = { url, headers: init.headers, body: JSON.parse(init.body) };
    calls.push(call);
    return respond(call, init.signal);
  }) as unknown as typeof fetch;
  const authorize = authorizeByKey(connection, clock);
  const { hostName } = connection;
  return {
    clock,
    calls,
    methods: createRestHubMethods(createHubRest({ hostName, authorize, clock, fetch: fakeFetch })),
  };
}

const call = (methods: ReturnType<typeof setUp>['methods'], signal = never) =>
  methods.call({ deviceId: 'press 1/a', moduleId: 'holdfast' }, 'backfill', { requestId: 'r' }, signal);

describe("the hub's REST call", () => {
  test('is the documented one', async () => {
    const { methods, calls } = setUp(() => Response.json({ status: 202, payload: { state: 'accepted' } }));
    expect(await call(methods)).toEqual({ kind: 'answered', status: 202, payload: { state: 'accepted' } });
    expect(calls).toMatchObject([
      {
        url: 'https://hub.example:8443/twins/press%201%2Fa/modules/holdfast/methods?api-version=2021-04-12',
        headers: {
          authorization: expect.stringMatching(
            /^SharedAccessSignature sr=hub\.example&sig=.+&se=\d+&skn=service$/,
          ),
        },
        body: {
          methodName: 'backfill',
          payload: { requestId: 'r' },
          responseTimeoutInSeconds: 10,
          connectTimeoutInSeconds: 0,
        },
      },
    ]);
  });

  test('addresses a device by itself when no module is named', async () => {
    const { methods, calls } = setUp(() => Response.json({ status: 200 }));
    await methods.call({ deviceId: 'd', moduleId: '' }, 'backfill', {}, never);
    expect(calls[0]!.url).toContain('/twins/d/methods?');
  });

  test.each<[number, Record<string, string>, string, object]>([
    [200, {}, 'not json', { kind: 'hub-failed' }],
    [200, {}, '{"payload": 1}', { kind: 'hub-failed' }],
    [
      404,
      {},
      '{"errorCode":404103}',
      { kind: 'unreachable', detail: 'the hub answered 404: {"errorCode":404103}' },
    ],
    [504, {}, '', { kind: 'unreachable' }],
    [401, {}, '', { kind: 'unauthorised' }],
    [403, {}, '', { kind: 'unauthorised' }],
    [429, { 'retry-after': '7' }, '', { kind: 'throttled', retryAfterMs: 7000 }],
    [429, { 'retry-after': '1.1' }, '', { kind: 'throttled', retryAfterMs: 1100 }],
    [429, { 'retry-after': 'soon' }, '', { kind: 'throttled' }],
    [429, {}, '', { kind: 'throttled' }],
    [500, {}, 'x'.repeat(5000), { kind: 'hub-failed', detail: expect.stringMatching(/^.{1,400}$/) }],
    [503, {}, '', { kind: 'hub-failed' }],
    [400, {}, '', { kind: 'hub-failed' }],
  ])('%i %o %s', async (status, headers, body, expected) => {
    const { methods } = setUp(() => new Response(body, { status, headers }));
    expect(await call(methods)).toMatchObject(expected);
  });

  test('gives up an answer that does not come, and one that does not end', async () => {
    const { methods, clock } = setUp(
      (_, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    const outcome = call(methods);
    await clock.advance(20_000);
    expect(await outcome).toEqual({ kind: 'hub-failed', detail: 'no answer in time' });

    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    const flood = setUp(() => new Response(endless));
    expect(await call(flood.methods)).toMatchObject({
      kind: 'hub-failed',
      detail: expect.stringContaining('longer'),
    });
  });

  test('rejects only when its caller aborts', async () => {
    const { methods } = setUp((_, signal) => {
      signal.throwIfAborted();
      throw new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') });
    });
    expect(await call(methods)).toEqual({ kind: 'hub-failed', detail: 'fetch failed: ECONNREFUSED' });
    const stop = new AbortController();
    stop.abort(new Error('stopping'));
    await expect(call(methods, stop.signal)).rejects.toThrow('stopping');
  });

  test('makes a new token before the old one runs out', async () => {
    const { methods, calls, clock } = setUp(() => Response.json({ status: 200 }));
    const tokens = () => new Set(calls.map((each) => each.headers.authorization)).size;
    await call(methods);
    await clock.advance(50 * 60_000);
    await call(methods);
    expect(tokens()).toBe(1);
    await clock.advance(6 * 60_000);
    await call(methods);
    expect(tokens()).toBe(2);
  });

  test('carries a token of Entra ID where there is no key, and says when none is to be had', async () => {
    const asked: string[] = [];
    const headers: string[] = [];
    const entra = (token: string | null) =>
      createRestHubMethods(
        createHubRest({
          hostName: 'hub.example',
          clock: new VirtualClock(),
          authorize: authorizeByEntra({
            async getToken(scope) {
              asked.push(scope);
              return token === null ? null : { token, expiresOnTimestamp: 0 };
            },
          }),
          fetch: (async (_: string, init: { headers: { authorization: string } }) => {
            headers.push(init.headers.authorization);
            return Response.json({ status: 200 });
          }) as unknown as typeof fetch,
        }),
      );
    expect(await call(entra('abc'))).toMatchObject({ kind: 'answered' });
    expect(await call(entra(null))).toMatchObject({ kind: 'unauthorised' });
    expect(headers).toEqual(['Bearer abc']);
    expect(asked[0]).toBe('https://iothubs.azure.net/.default');
  });
});
