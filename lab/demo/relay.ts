// A TCP relay between two processes, with a hand on the cable. The demo puts one between the runtime and the
// hub and one between the runtime and the plant, so that an outage is a real one: sockets are reset, ports
// refuse, bytes vanish. No code on either side knows.
import { createServer, type Server, Socket } from 'node:net';

export type RelayMode =
  | { readonly kind: 'up' }
  /** Every connection is reset and the port refuses: a cable pulled near to the client. */
  | { readonly kind: 'cut' }
  /** Connections stay open and new ones are accepted, but nothing comes through: a firewall that drops. */
  | { readonly kind: 'blackhole' }
  /** Bytes a second, for each connection and direction. */
  | { readonly kind: 'throttle'; readonly bytesPerSecond: number };

export interface RelayOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Loopback unless said otherwise. */
  readonly host?: string;
  /** The relay's own port; absent: a free one below the range that the system gives to clients. */
  readonly port?: number;
}

export interface RelayStats {
  readonly open: number;
  readonly accepted: number;
  /** Bytes that came out of the relay, from client to target and back. */
  readonly sentBytes: number;
  readonly returnedBytes: number;
  readonly swallowedBytes: number;
}

export interface Relay {
  readonly port: number;
  mode(): RelayMode;
  /**
   * Takes effect on open connections too. Resolves when it has: after `cut` the port refuses. Concurrent
   * calls run one after the other, in order.
   */
  set(mode: RelayMode): Promise<void>;
  stats(): RelayStats;
  /** Resets what is open and frees the port. */
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
  /** Bytes were lost, so the stream can never be whole again: reset when the blackhole ends. */
  holed: boolean;
}

// Below 32768, where Linux begins to hand out ports to clients: while the relay is cut its port is free, and
// nobody may take it before it listens again.
const firstPort = 20_000;
const portCount = 12_000;
const bindAttempts = 50;

/** @throws the system's error when no port can be had. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const relay = new TcpRelay(options);
  await relay.start();
  return relay;
}

class TcpRelay implements Relay {
  readonly #options: RelayOptions;
  readonly #host: string;
  readonly #pairs = new Set<Pair>();
  readonly #stats = { accepted: 0, sentBytes: 0, returnedBytes: 0, swallowedBytes: 0 };
  #mode: RelayMode = { kind: 'up' };
  #isClosed = false;
  #queue: Promise<void> = Promise.resolve();
  #server: Server | undefined;
  #port = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#host = options.host ?? '127.0.0.1';
  }

  async start(): Promise<void> {
    this.#server = await bindSomewhere(this.#host, this.#options.port, (client) => this.#accept(client));
    this.#port = (this.#server.address() as { port: number }).port;
  }

  get port(): number {
    return this.#port;
  }

  mode(): RelayMode {
    return this.#mode;
  }

  set(mode: RelayMode): Promise<void> {
    return this.#inTurn(() => this.#apply(mode));
  }

  stats(): RelayStats {
    return { open: this.#pairs.size, ...this.#stats };
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#apply({ kind: 'cut' });
      this.#isClosed = true;
    });
  }

  #accept(client: Socket): void {
    this.#stats.accepted += 1;
    const target = new Socket({ allowHalfOpen: true });
    const pair: Pair = { client, target, holed: false };
    this.#pairs.add(pair);
    // A connection made during a blackhole never reaches the target.
    if (this.#mode.kind === 'blackhole') pair.holed = true;
    else target.connect(this.#options.target.port, this.#options.target.host).setNoDelay(true);
    client.setNoDelay(true);
    this.#pump(pair, client, target, 'sentBytes');
    this.#pump(pair, target, client, 'returnedBytes');
  }

  #pump(pair: Pair, from: Socket, to: Socket, counter: 'sentBytes' | 'returnedBytes'): void {
    from.on('data', (chunk: Buffer) => {
      const mode = this.#mode;
      if (mode.kind === 'blackhole') {
        pair.holed = true;
        this.#stats.swallowedBytes += chunk.length;
        return;
      }
      this.#stats[counter] += chunk.length;
      const delayMs = mode.kind === 'throttle' ? (chunk.length / mode.bytesPerSecond) * 1000 : 0;
      to.write(chunk);
      if (delayMs > 0) {
        from.pause();
        setTimeout(() => resumeWithRoom(from, to), delayMs).unref();
      } else if (to.writableNeedDrain) {
        from.pause();
        resumeWithRoom(from, to);
      }
    });
    from.on('end', () => {
      // In a blackhole a goodbye gets lost like everything else.
      if (this.#mode.kind === 'blackhole') pair.holed = true;
      else to.end();
    });
    from.on('error', () => this.#reset(pair));
    from.on('close', () => {
      if (from.errored !== null || to.destroyed) this.#reset(pair);
    });
  }

  #reset(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of [pair.client, pair.target]) {
      // resetAndDestroy waits for a connection that is still being made; destroy does not.
      if (socket.connecting || socket.pending) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  async #apply(next: RelayMode): Promise<void> {
    if (this.#isClosed) return;
    this.#mode = next;
    if (next.kind === 'cut') {
      const closing = this.#stopListening();
      for (const pair of [...this.#pairs]) this.#reset(pair);
      await closing;
      return;
    }
    if (next.kind !== 'blackhole') for (const pair of [...this.#pairs]) if (pair.holed) this.#reset(pair);
    this.#server ??= await bind(this.#host, this.#port, (client) => this.#accept(client));
  }

  #stopListening(): Promise<void> {
    const listening = this.#server;
    this.#server = undefined;
    return new Promise((resolve) => (listening ? listening.close(() => resolve()) : resolve()));
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(step);
    this.#queue = turn.catch(() => {});
    return turn;
  }
}

/** Reads on once the other side has taken what is buffered for it, so that buffers stay bounded. */
function resumeWithRoom(from: Socket, to: Socket): void {
  if (to.writableNeedDrain) to.once('drain', () => from.resume());
  else from.resume();
}

async function bindSomewhere(host: string, port: number | undefined, accept: (socket: Socket) => void) {
  if (port !== undefined) return bind(host, port, accept);
  for (let attempt = 1; ; attempt++) {
    try {
      return await listen(host, firstPort + Math.floor(Math.random() * portCount), accept);
    } catch (error) {
      if (attempt === bindAttempts) throw error;
    }
  }
}

/** Tries again for a while when the port is taken: sockets of the old listener may still be closing. */
async function bind(host: string, port: number, accept: (socket: Socket) => void): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listen(host, port, accept);
    } catch (error) {
      if (attempt === bindAttempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function listen(host: string, port: number, accept: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, accept);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve(server);
    });
  });
}
