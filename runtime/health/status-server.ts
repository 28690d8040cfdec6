// Status over HTTP for people and probes on the gateway. Three fixed answers need no web framework:
// Fastify would add 24 MB of resident memory to a module that is measured in tens.
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HoldfastError } from '../../kernel/errors.ts';
import { keepNewestConnections } from '../../kernel/newest-connections.ts';

export interface StatusServerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** What `GET /status` shows. */
  readonly status: () => unknown;
  /** Why the module is not ready, for `GET /readyz`; empty when it is. */
  readonly notReady: () => readonly string[];
}

export interface StatusServer {
  readonly port: number;
  close(): Promise<void>;
}

const maxConnections = 32;
// Node looks each 30 s for requests that take too long, unless it is told otherwise.
const timeouts = { requestTimeout: 5_000, headersTimeout: 5_000, connectionsCheckingInterval: 500 };

/** @throws HoldfastError `status-port` when the address cannot be listened on. */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const server = createServer(timeouts, (request, response) => {
    // Whatever a client does with its half of the connection is not our trouble.
    response.on('error', () => {});
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET') answer(response, 405, { error: 'only GET' });
    else if (path === '/healthz') answer(response, 200, { ok: true });
    else if (path === '/readyz') answerReady(response, options.notReady());
    else if (path === '/status') answer(response, 200, options.status());
    else answer(response, 404, { error: 'known paths: /status /healthz /readyz' });
  });
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

function answerReady(response: ServerResponse, reasons: readonly string[]): void {
  answer(response, reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
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
