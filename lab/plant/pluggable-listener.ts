// A TCP listener that can be unplugged and plugged in again on the same port: connections are reset and
// nothing is accepted in between, as when the cable of a device is pulled.
import { createServer, type Server, type Socket } from 'node:net';
import { randomInt, systemRandom } from '../../kernel/random.ts';

export interface ListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Further connections are closed at once. */
  readonly maxConnections: number;
}

export interface PluggableListener {
  readonly port: number;
  readonly connections: number;
  /** Connections that were made so far. */
  readonly accepted: number;
  readonly isListening: boolean;
  /** Cuts every connection with a reset. */
  dropConnections(): void;
  /** Stops listening and cuts every connection; `plug` undoes it, on the same port. */
  unplug(): Promise<void>;
  plug(): Promise<void>;
}

export async function startListener(
  options: ListenerOptions,
  onConnection: (socket: Socket) => void,
): Promise<PluggableListener> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Resets by peers are everyday; 'close' follows and cleans up.
    socket.on('error', () => {});
    onConnection(socket);
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
    get accepted() {
      return accepted;
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

// A port that the system gives out by itself could be given to someone else while the listener is closed,
// even to a client that tries to reach it. So a free one is looked for below the range it gives out.
const searchFrom = 20_000;
const searchPorts = 12_000;
const attempts = 50;
const retryMs = 100;

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
      if (attempt === attempts || !isTaken(error)) throw error;
    }
  }
}

async function listenAgain(server: Server, host: string, port: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listen(server, host, port);
    } catch (error) {
      if (attempt === attempts || !isTaken(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
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
