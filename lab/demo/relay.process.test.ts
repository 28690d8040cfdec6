import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Relay, startRelay } from './relay.ts';

// The far end answers every byte with the same byte.
let echo: Server;
let relay: Relay;
const sockets: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  relay = await startRelay({ target: { host: '127.0.0.1', port: (echo.address() as AddressInfo).port } });
});

afterEach(async () => {
  await relay.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  echo.close();
});

async function dial(): Promise<Socket> {
  const socket = connect(relay.port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = await once(socket, 'data');
  return String(chunk);
}

/** Resolves to the error's code once the socket is closed. */
function ending(socket: Socket): Promise<string> {
  let code = 'closed';
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? 'error';
  });
  return new Promise((resolve) => socket.on('close', () => resolve(code)));
}

const quiet = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('up', () => {
  test('passes bytes both ways, counted', async () => {
    const socket = await dial();
    expect(await echoed(socket, 'hello')).toBe('hello');
    expect(relay.stats()).toMatchObject({ open: 1, accepted: 1, sentBytes: 5, returnedBytes: 5 });
  });

  test('passes more than the buffers hold, unchanged, to a slow reader', async () => {
    const socket = await dial();
    const sent = Buffer.alloc(4_000_000, 'holdfast');
    const got: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      got.push(chunk);
      socket.pause();
      setImmediate(() => socket.resume());
    });
    socket.end(sent);
    await once(socket, 'close');
    expect(Buffer.concat(got).equals(sent)).toBe(true);
  });

  test('passes on a close, and forgets the connection', async () => {
    const socket = await dial();
    await echoed(socket, 'x');
    socket.end();
    await once(socket, 'close');
    await expect.poll(() => relay.stats().open).toBe(0);
  });

  test('resets the client when the target refuses', async () => {
    echo.close();
    const socket = await dial();
    expect(await ending(socket)).toBe('ECONNRESET');
    expect(relay.stats().open).toBe(0);
  });
});

describe('cut', () => {
  test('resets what is open, on both sides, and then refuses', async () => {
    const socket = await dial();
    await echoed(socket, 'x');
    const far = sockets.find((other) => other !== socket) as Socket;
    const [near, away] = [ending(socket), ending(far)];
    await relay.set({ kind: 'cut' });
    expect(await near).toBe('ECONNRESET');
    expect(await away).toBe('ECONNRESET');
    await expect(dial()).rejects.toThrow('ECONNREFUSED');
  });

  test('ends: the same port answers again', async () => {
    const port = relay.port;
    await relay.set({ kind: 'cut' });
    await relay.set({ kind: 'up' });
    expect(relay.port).toBe(port);
    expect(await echoed(await dial(), 'back')).toBe('back');
  });

  test('and its end, asked for at once, run in order', async () => {
    await Promise.all([
      relay.set({ kind: 'cut' }),
      relay.set({ kind: 'up' }),
      relay.set({ kind: 'cut' }),
      relay.set({ kind: 'up' }),
    ]);
    expect(await echoed(await dial(), 'y')).toBe('y');
  });
});

describe('blackhole', () => {
  test('keeps connections open and swallows their bytes; they are reset when it ends', async () => {
    const socket = await dial();
    await echoed(socket, 'x');
    await relay.set({ kind: 'blackhole' });
    let heard = 0;
    socket.on('data', () => heard++);
    const end = ending(socket);
    socket.write('into the void');
    await expect.poll(() => relay.stats().swallowedBytes).toBe(13);
    await quiet(30);
    expect(heard).toBe(0);
    expect(socket.destroyed).toBe(false);
    await relay.set({ kind: 'up' });
    // What lost bytes must not go on as if it had not: the far end would read a torn stream.
    expect(await end).toBe('ECONNRESET');
    expect(await echoed(await dial(), 'z')).toBe('z');
  });

  test('accepts new connections that never reach the target', async () => {
    await relay.set({ kind: 'blackhole' });
    const before = sockets.length;
    const socket = await dial();
    socket.write('hello?');
    await expect.poll(() => relay.stats().swallowedBytes).toBe(6);
    expect(sockets.length).toBe(before + 1);
    const end = ending(socket);
    await relay.set({ kind: 'up' });
    expect(await end).toBe('ECONNRESET');
  });

  test('spares a connection that said nothing meanwhile', async () => {
    const socket = await dial();
    await echoed(socket, 'x');
    await relay.set({ kind: 'blackhole' });
    await relay.set({ kind: 'up' });
    expect(await echoed(socket, 'still here')).toBe('still here');
  });
});

test('throttle slows a transfer down to its rate', async () => {
  const socket = await dial();
  await relay.set({ kind: 'throttle', bytesPerSecond: 400_000 });
  const began = performance.now();
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  socket.end(Buffer.alloc(200_000));
  await once(socket, 'close');
  expect(received).toBe(200_000);
  // 200 kB at 400 kB/s; the last chunk's pause is not waited for.
  expect(performance.now() - began).toBeGreaterThan(300);
});

test('close resets what is open and frees the port', async () => {
  const socket = await dial();
  const end = ending(socket);
  await relay.close();
  expect(await end).toBe('ECONNRESET');
  await expect(dial()).rejects.toThrow('ECONNREFUSED');
});
