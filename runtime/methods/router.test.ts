import { describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import type { BackfillRequest } from '../../wire/methods.ts';
import type { MethodAnswer } from '../uplink/uplink.ts';
import type { BackfillOutcome } from './backfill-jobs-api.ts';
import type { JobRecord } from './backfill-store.ts';
import { createMethodRouter, type MethodRouterOptions } from './router.ts';

const start = Date.UTC(2026, 0, 1);
const job: JobRecord = {
  requestId: 'r1',
  batchId: 'press',
  index: 'time',
  range: { start, end: start + 1_000 },
  state: 'running',
  covered: [{ start, end: start + 200 }],
  voids: [{ window: { start: start + 500, end: start + 600 }, reason: 'history-expired' }],
  createdAt: start,
  updatedAt: start,
};
const payload = {
  requestId: 'r1',
  batchId: 'press',
  startWindow: '2026-01-01T00:00:00.000Z',
  endWindow: '2026-01-01T00:00:01.000Z',
};

function bench(
  options: Partial<MethodRouterOptions> = {},
  outcome: BackfillOutcome = { kind: 'accepted', job },
) {
  const handlers = new Map<string, (payload: unknown) => Promise<MethodAnswer>>();
  const requests: BackfillRequest[] = [];
  const cancels: [string, boolean][] = [];
  const router = createMethodRouter({
    host: { handleMethod: (name, handler) => handlers.set(name, handler) },
    jobs: {
      async request(request) {
        requests.push(request);
        return outcome;
      },
      get: (requestId) => (requestId === 'r1' ? job : undefined),
      waiting: (requestId) => (requestId === 'r1' ? 'the equipment is away' : undefined),
      async cancel(requestId, declareVoid) {
        cancels.push([requestId, declareVoid]);
        return requestId === 'r1' ? { ...job, state: 'cancelled' } : undefined;
      },
    },
    status: () => ({ version: '1' }),
    bundle: async () => Buffer.from('an archive'),
    forget: async (batchId) => batchId !== 'nobody',
    log: silentLog,
    metrics: noMetrics,
    ...options,
  });
  const call = (name: string, given?: unknown) => handlers.get(name)!(given);
  return { call, router, requests, cancels, handlers };
}

describe('bundle', () => {
  test('is answered as one archive, in base64', async () => {
    const { status, body } = await bench().call('bundle');
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'holdfast-bundle.tar.gz', encoding: 'base64' });
    expect(Buffer.from((body as { content: string }).content, 'base64').toString()).toBe('an archive');
  });

  test('that does not fit, or cannot be made, is said so', async () => {
    expect((await bench({ bundle: async () => undefined }).call('bundle')).status).toBe(413);
    expect((await bench({ bundle: () => Promise.reject(new Error('no')) }).call('bundle')).status).toBe(500);
  });
});

describe('backfill', () => {
  test('an accepted request is answered 202', async () => {
    const { call, requests } = bench();
    expect(await call('backfill', payload)).toEqual({
      status: 202,
      body: { requestId: 'r1', state: 'accepted' },
    });
    expect(requests[0]).toMatchObject({ requestId: 'r1', batchId: 'press', derivedId: false });
  });

  test('a known request is answered with where it stands', async () => {
    const { call } = bench({}, { kind: 'known', job });
    const { status, body } = await call('backfill', payload);
    expect(status).toBe(200);
    expect(body).toEqual({
      requestId: 'r1',
      batchId: 'press',
      state: 'running',
      requested: ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z'],
      covered: [['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.200Z']],
      void: [['2026-01-01T00:00:00.500Z', '2026-01-01T00:00:00.600Z', 'history-expired']],
      remaining: [
        ['2026-01-01T00:00:00.200Z', '2026-01-01T00:00:00.500Z'],
        ['2026-01-01T00:00:00.600Z', '2026-01-01T00:00:01.000Z'],
      ],
    });
  });

  test('every bad field is named, and nothing reaches the jobs', async () => {
    const { call, requests } = bench();
    const { status, body } = await call('backfill', { requestId: 7, startWindow: 'soon' });
    expect(status).toBe(400);
    const fields = (body as { errors: { field: string }[] }).errors.map(({ field }) => field);
    expect(fields.sort()).toEqual(['batchId', 'endWindow', 'requestId', 'startWindow']);
    expect(requests).toEqual([]);
  });

  test.each([
    [{ kind: 'unknown-stream' }, 404],
    [{ kind: 'too-many' }, 429],
    [{ kind: 'stopping' }, 503],
    [{ kind: 'invalid', errors: [{ field: 'endWindow', problem: 'not after startWindow' }] }, 400],
  ] as const)('%o is answered %i', async (outcome, status) => {
    const { call } = bench({}, outcome);
    expect((await call('backfill', payload)).status).toBe(status);
  });

  test('a request that cannot be made durable is answered 503, to be tried again', async () => {
    const { call } = bench({
      jobs: {
        request: () => Promise.reject(new Error('the disk is full')),
        get: () => undefined,
        waiting: () => undefined,
        cancel: async () => undefined,
      },
    });
    expect((await call('backfill', payload)).status).toBe(503);
  });

  test('the published sample’s names and payloads work', async () => {
    const { call, requests } = bench();
    const sample = {
      BatchId: 'press',
      StartWindow: '2026-01-01T00:00:00.0000000Z',
      EndWindow: '2026-01-01T00:00:01.0000000Z',
      Created: '2026-01-01T00:01:00.0000000Z',
    };
    expect((await call('BackfillMethod', sample)).status).toBe(202);
    expect(requests[0]).toMatchObject({ batchId: 'press', derivedId: true });
  });
});

describe('other methods', () => {
  test('getBackfill and cancelBackfill', async () => {
    const { call, cancels } = bench();
    expect(await call('getBackfill', { requestId: 'r1' })).toMatchObject({
      status: 200,
      body: { state: 'running' },
    });
    expect((await call('getBackfill', { requestId: 'nobody' })).status).toBe(404);
    expect((await call('getBackfill', {})).status).toBe(400);
    expect(await call('cancelBackfill', { requestId: 'r1', declareVoid: true })).toMatchObject({
      status: 200,
      body: { state: 'cancelled' },
    });
    expect((await call('cancelBackfill', { requestId: 'nobody' })).status).toBe(404);
    expect(cancels).toEqual([
      ['r1', true],
      ['nobody', false],
    ]);
  });

  test('status', async () => {
    expect(await bench().call('status')).toEqual({ status: 200, body: { version: '1' } });
  });

  test('forget takes a stream, or none for all', async () => {
    const { call } = bench();
    expect(await call('forget', { batchId: 'press' })).toEqual({ status: 200, body: { batchId: 'press' } });
    expect(await call('forget')).toEqual({ status: 200, body: {} });
    expect((await call('forget', { batchId: 'nobody' })).status).toBe(404);
    expect((await call('forget', { batchId: 7 })).status).toBe(400);
  });

  test('skip exists only where fault injection is on', async () => {
    expect((await bench().call('skip', { batchId: 'press', count: 2 })).status).toBe(404);
    const skipped: unknown[] = [];
    const { call } = bench({
      skip: (batchId, count) => {
        skipped.push([batchId, count]);
        return batchId !== 'nobody';
      },
    });
    expect((await call('skip', { batchId: 'press', count: 2 })).status).toBe(200);
    expect((await call('SkipMessageMethod')).status).toBe(200);
    expect((await call('skip', { batchId: 'nobody', count: 1 })).status).toBe(404);
    expect((await call('skip', { batchId: 'press', count: -1 })).status).toBe(400);
    expect(skipped).toEqual([
      ['press', 2],
      [undefined, 1],
      ['nobody', 1],
    ]);
  });

  test('a payload that is too large is refused unread', async () => {
    const { call, requests } = bench();
    const answer = await call('backfill', { ...payload, more: 'x'.repeat(20_000) });
    expect(answer.status).toBe(400);
    expect(requests).toEqual([]);
  });

  test('once stopping, every method says so', async () => {
    const { call, router, handlers } = bench();
    router.stop();
    for (const name of handlers.keys()) expect((await call(name, payload)).status).toBe(503);
  });

  test('the report of a job with very many windows still fits into an answer', async () => {
    const covered = Array.from({ length: 5_000 }, (_, i) => ({
      start: start + i * 10,
      end: start + i * 10 + 5,
    }));
    const huge = { ...job, range: { start, end: start + 50_000 }, covered, voids: [] };
    const { call } = bench({}, { kind: 'known', job: huge });
    const { body } = await call('backfill', payload);
    expect(JSON.stringify(body).length).toBeLessThan(128 * 1024);
    expect(body).toMatchObject({ truncated: true });
  });
});
