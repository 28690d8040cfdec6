// Status over HTTP for people, probes and collectors. A few fixed answers need no web framework:
// Fastify would add 24 MB of resident memory to a module that is measured in tens.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import { keepNewestConnections } from '../../kernel/newest-connections.ts';
import { metricsContentType } from '../../kernel/prometheus.ts';
import { accessOf } from './access.ts';
import { statusPage } from './status-page.ts';

export interface StatusAnswers {
  /** What `GET /status` shows. */
  readonly status: () => unknown;
  /** Why the module is not ready, for `GET /readyz`; empty when it is. */
  readonly notReady: () => readonly string[];
  /** Prometheus' text form, for `GET /metrics`. */
  readonly metricsText?: (() => Promise<string>) | undefined;
  /** The data of page and terminal, for `GET /overview`. */
  readonly overview?: (() => unknown) | undefined;
  /** One archive (gzipped tar) for `GET /bundle`. */
  readonly bundle?: (() => Promise<Uint8Array>) | undefined;
  /** Opens status, page and bundle to others than the gateway itself. */
  readonly token?: string | undefined;
}

export interface StatusServerOptions extends StatusAnswers {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

export interface StatusServer {
  readonly port: number;
  close(): Promise<void>;
}

const maxConnections = 32;
// Node looks each 30 s for requests that take too long, unless it is told otherwise.
const timeouts = { requestTimeout: 5_000, headersTimeout: 5_000, connectionsCheckingInterval: 500 };
/** For a client that asks and does not read: its answer stays in memory, of a large site a megabyte. */
const stalledMs = 10_000;

/** @throws HoldfastError `status-port` when the address cannot be listened on. */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const answering = new WeakSet<object>();
  const server = createServer(timeouts, (request, response) => {
    // Requests that come in one piece would be answered in memory all at once. No browser and no collector sends them so.
    if (answering.has(request.socket)) return void request.socket.destroy();
    answering.add(request.socket);
    response.once('close', () => answering.delete(request.socket));
    // Whatever a client does with its half of the connection is not our trouble.
    response.on('error', () => {});
    respond(request, response, options).catch((error) => {
      if (response.headersSent) response.destroy();
      else answer(response, 500, { error: describeError(error) });
    });
  });
  server.timeout = stalledMs;
  keepNewestConnections(server, maxConnections);
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answers: StatusAnswers,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0]!;
  // Node sends no body in answer to HEAD.
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return answer(response, 405, { error: 'only GET' });
  }
  switch (path) {
    case '/healthz':
      return answer(response, 200, { ok: true });
    case '/readyz':
      return answerReady(response, answers.notReady());
    case '/metrics':
      return answerMetrics(response, answers);
    case '/':
      return answerPage(response);
    case '/status':
    case '/overview':
    case '/bundle':
      return answerPrivate(path, request, response, answers);
    default:
      return answer(response, 404, {
        error: 'known paths: / /status /overview /bundle /metrics /healthz /readyz',
      });
  }
}

/** Answers only callers who have access. */
async function answerPrivate(
  path: '/status' | '/overview' | '/bundle',
  request: IncomingMessage,
  response: ServerResponse,
  answers: StatusAnswers,
): Promise<void> {
  const { authorization, host } = request.headers;
  const access = accessOf({ peer: request.socket.remoteAddress, host, authorization }, answers.token);
  if (access === 'token-needed') {
    response.setHeader('www-authenticate', 'Bearer');
    return answer(response, 401, { error: 'the token of HOLDFAST_STATUS_TOKEN is needed' });
  }
  if (access === 'gateway-only') {
    const error =
      'only from the gateway itself, by localhost; set HOLDFAST_STATUS_TOKEN to open it to others';
    return answer(response, 403, { error });
  }
  if (path === '/status') return answer(response, 200, answers.status());
  if (path === '/overview') return answer(response, 200, (answers.overview ?? answers.status)());
  if (answers.bundle === undefined) return answer(response, 404, { error: 'there is no bundle here' });
  send(response, 200, 'application/gzip', await answers.bundle());
}

async function answerMetrics(response: ServerResponse, { metricsText }: StatusAnswers): Promise<void> {
  if (metricsText === undefined) return answer(response, 404, { error: 'there are no metrics here' });
  send(response, 200, metricsContentType, await metricsText());
}

/** Open to all: the page holds no data. */
function answerPage(response: ServerResponse): void {
  response.setHeader('content-security-policy', statusPage.policy);
  send(response, 200, 'text/html; charset=utf-8', statusPage.html);
}

function answerReady(response: ServerResponse, reasons: readonly string[]): void {
  answer(response, reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

function listen(server: Server, { host, port }: StatusServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new HoldfastError('status-port', `cannot serve status on ${host}:${port}: choose a free statusPort`, {
          cause,
        }),
      ),
    );
    server.listen(port, host, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      resolve();
    });
  });
}
