import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type StatusServer, startStatusServer } from './status-server.ts';

let server: StatusServer;
const sockets: Socket[] = [];

const start = async (notReady: readonly string[] = []) => {
  const answers = { status: () => ({ depth: 1 }), notReady: () => notReady };
  server = await startStatusServer({ host: '127.0.0.1', port: 0, ...answers });
};
const get = async (path: string, method = 'GET') => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return { status: response.status, body: method === 'HEAD' ? undefined : await response.json() };
};
/** Connected, with the beginning of a request that never ends. */
const halfOpen = async () => {
  const socket = connect(server.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write('GET /healthz HTTP/1.1\r\n');
  return socket;
};

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

test.each([
  ['/healthz', 'GET', [], 200, { ok: true }],
  ['/readyz', 'GET', [], 200, { ready: true, reasons: [] }],
  ['/readyz', 'GET', ['no hub'], 503, { ready: false, reasons: ['no hub'] }],
  ['/status?full', 'GET', [], 200, { depth: 1 }],
  ['/other', 'GET', [], 404, { error: 'known paths: / /status /overview /bundle /metrics /healthz /readyz' }],
  ['/healthz', 'HEAD', [], 200, undefined],
  ['/healthz', 'POST', [], 405, { error: 'only GET' }],
] as const)('%s by %s with %o in the way is %i', async (path, method, notReady, status, body) => {
  await start(notReady);
  expect(await get(path, method)).toEqual({ status, body });
});

test('however many connections say nothing, the next one is heard', async () => {
  await start();
  for (let n = 0; n < 40; n++) await halfOpen();
  expect((await get('/healthz')).status).toBe(200);
  const [oldest] = sockets;
  if (!oldest!.destroyed) await once(oldest!, 'close');
});

test('who asks many times at once, or does not read the answer, holds no memory', {
  timeout: 60_000,
}, async () => {
  let asked = 0;
  const text = 'x'.repeat(50_000_000);
  const metricsText = async () => {
    asked++;
    return text;
  };
  server = await startStatusServer({
    ...{ host: '127.0.0.1', port: 0, status: () => ({}), notReady: () => [] },
    metricsText,
  });
  const ask = async (times: number) => {
    const socket = connect(server.port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(times));
    return socket;
  };
  const many = await ask(20);
  many.resume();
  await once(many, 'close');
  expect(asked).toBe(1);
  await ask(1);
  await expect.poll(() => asked).toBe(2);
  // Both ends are of this process; paused, the client's hears of nothing.
  const ends = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
  const before = ends();
  await expect.poll(ends, { timeout: 50_000, interval: 500 }).toBeLessThan(before);
});

test('a request that does not come to its end is given up after 5 seconds, not 30', {
  timeout: 30_000,
}, async () => {
  await start();
  const began = performance.now();
  const socket = await halfOpen();
  socket.resume();
  await once(socket, 'close');
  expect(performance.now() - began).toBeLessThan(20_000);
});
