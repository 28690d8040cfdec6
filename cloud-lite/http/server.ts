// The HTTP side: health, and the ledger for programs and people. The only importer of Fastify.
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Database } from '../database/database.ts';
import type { DetectorState } from '../detector.ts';
import { listStreams } from '../ledger/streams.ts';
import { endStates } from '../repair/decide.ts';
import { listRequests } from '../repair/request-views.ts';

export interface HttpOptions {
  readonly database: Database;
  readonly state: () => DetectorState;
  readonly log: Log;
}

const page = z.object({ limit: z.coerce.number().int().min(1).max(1000).default(1000) });
const streamQuery = page.extend({
  after: z.coerce.number().int().min(0).optional(),
  deviceId: z.string().optional(),
  batchId: z.string().optional(),
});
const requestQuery = page.extend({
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
  state: z.enum(['open', 'pending', 'accepted', ...endStates]).optional(),
  deviceId: z.string().optional(),
  batchId: z.string().optional(),
});

export function createHttpServer(options: HttpOptions): FastifyInstance {
  const { database } = options;
  const server = Fastify({
    logger: false,
    bodyLimit: 64 * 1024,
    requestTimeout: 30_000,
    forceCloseConnections: true,
  });

  server.get('/healthz', async () => ({ status: 'ok', ...options.state() }));

  server.get('/api/streams', async (request) => {
    const query = parse(streamQuery, request.query);
    const streams = await listStreams(database, query);
    const last = streams.length === query.limit ? streams[streams.length - 1]?.id : undefined;
    return last === undefined ? { streams } : { streams, next: last };
  });

  server.get('/api/requests', async (request) => ({
    requests: await listRequests(database, parse(requestQuery, request.query)),
  }));

  server.setNotFoundHandler((request, reply) =>
    reply
      .status(404)
      .type('application/problem+json')
      .send(problem(404, 'not found', `nothing at ${request.url}`)),
  );
  server.setErrorHandler((error, request, reply) => {
    const status = statusOf(error);
    const detail = describeError(error);
    if (status >= 500) options.log.error({ url: request.url, err: detail }, 'a request failed');
    return reply
      .status(status)
      .type('application/problem+json')
      .send(problem(status, 'error', detail));
  });
  return server;
}

/** Problem details, RFC 9457. */
function problem(status: number, title: string, detail: string) {
  return { type: 'about:blank', title, status, detail };
}

function parse<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const detail = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new HoldfastError('http-bad-request', detail);
}

function statusOf(error: unknown): number {
  if (error instanceof HoldfastError)
    return error.code === 'http-bad-request' ? 400 : error.retryable ? 503 : 500;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode >= 400 ? statusCode : 500;
}
