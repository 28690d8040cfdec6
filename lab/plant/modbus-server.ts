// Modbus TCP on node:net. Requests of one connection may be pipelined; they are answered in order, and all
// answers to one received chunk leave in one write. A peer that does not read its answers is not read from
// either, so a connection holds a bounded amount of memory.
import { createServer, type Server, type Socket } from 'node:net';
import { randomInt, systemRandom } from '../../kernel/random.ts';
import type { Device } from './device.ts';
import { spoil } from './garbage.ts';
import { MbapReader, maxFrameBytes, mbapBytes, writeMbap } from './mbap.ts';

export interface ModbusServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Further connections are closed at once. */
  readonly maxConnections: number;
}

export interface ModbusServer {
  readonly port: number;
  readonly connections: number;
  readonly isListening: boolean;
  /** Cuts every connection with a reset. */
  dropConnections(): void;
  /** Stops listening and cuts every connection; `plug` undoes it, on the same port. */
  unplug(): Promise<void>;
  plug(): Promise<void>;
}

// Answers that a slow unit holds back for one connection; beyond it the connection is not read from.
const maxDelayed = 256;
const scratch = Buffer.allocUnsafe(64 * 1024);

export async function startModbusServer(device: Device, options: ModbusServerOptions): Promise<ModbusServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, device);
  });
  server.maxConnections = options.maxConnections;
  const port = await listenOnFreePort(server, options.host, options.port);
  const dropConnections = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port,
    get connections() {
      return sockets.size;
    },
    get isListening() {
      return server.listening;
    },
    dropConnections,
    async unplug() {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      dropConnections();
      await closed;
    },
    async plug() {
      if (!server.listening) await listenAgain(server, options.host, port);
    },
  };
}

function serve(socket: Socket, device: Device): void {
  const reader = new MbapReader();
  const delayed = new Set<NodeJS.Timeout>();
  let filled = 0;

  const flush = () => {
    if (filled === 0) return;
    const isRoomLeft = socket.write(Buffer.from(scratch.subarray(0, filled)));
    filled = 0;
    if (!isRoomLeft) socket.pause();
  };
  const respond = (transaction: number, unit: number, request: Buffer) => {
    if (scratch.length - filled < maxFrameBytes) flush();
    const garbage = device.garbageFor(unit);
    const length = device.answer(unit, request, scratch, filled + mbapBytes, garbage !== undefined);
    writeMbap(transaction, unit, length, scratch, filled);
    const end = filled + mbapBytes + length;
    if (garbage === undefined) {
      filled = end;
      return;
    }
    const frame = Buffer.from(scratch.subarray(filled, end));
    flush();
    socket.write(spoil(garbage, frame, device.random));
  };
  const respondLater = (delayMs: number, transaction: number, unit: number, view: Buffer) => {
    const request = Buffer.from(view);
    const timer = setTimeout(() => {
      delayed.delete(timer);
      respond(transaction, unit, request);
      flush();
      if (delayed.size < maxDelayed && !socket.writableNeedDrain) socket.resume();
    }, delayMs);
    delayed.add(timer);
    if (delayed.size >= maxDelayed) socket.pause();
  };
  const onFrame = (transaction: number, unit: number, request: Buffer) => {
    if (!device.takes(unit)) return;
    const delayMs = device.unitFaults(unit)?.delayMs;
    if (delayMs) respondLater(delayMs, transaction, unit, request);
    else respond(transaction, unit, request);
  };

  socket.on('data', (chunk) => {
    const isModbus = reader.push(chunk, onFrame);
    flush();
    if (!isModbus) socket.destroySoon();
  });
  socket.on('drain', () => {
    if (delayed.size < maxDelayed) socket.resume();
  });
  // Resets by peers are everyday; 'close' follows and cleans up.
  socket.on('error', () => {});
  socket.on('close', () => {
    for (const timer of delayed) clearTimeout(timer);
  });
}

// A port that the system gives out by itself could be given to someone else while the listener is closed,
// even to a client that tries to reach it. So a free one is looked for below the range it gives out.
const searchFrom = 20_000;
const searchPorts = 12_000;
const searchAttempts = 50;

async function listenOnFreePort(server: Server, host: string, port: number): Promise<number> {
  if (port !== 0) {
    await listen(server, host, port);
    return port;
  }
  for (let attempt = 1; ; attempt++) {
    const candidate = searchFrom + randomInt(systemRandom, searchPorts);
    try {
      await listen(server, host, candidate);
      return candidate;
    } catch (error) {
      if (attempt === searchAttempts || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

async function listenAgain(server: Server, host: string, port: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listen(server, host, port);
    } catch (error) {
      if (attempt === searchAttempts || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
