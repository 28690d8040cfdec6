// A TCP listener that can be made to fail as networks and servers do: refuse, freeze, cut, go away and
// come back on the same port. It hands accepted sockets on and knows nothing of what is spoken on them.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Takes a connected socket and returns what to freeze: the socket itself, or the TLS socket around it. */
export type Acceptor = (socket: Socket) => void;

export class Listener {
  readonly #accept: Acceptor;
  readonly #host: string;
  #server: Server | undefined;
  #port: number;
  #stalled = false;
  #refusing = false;
  #stopped = false;
  /** Raw sockets, to cut. */
  readonly #sockets = new Set<Socket>();
  /** What protocols read from and write to, to freeze. */
  readonly #streams = new Set<Duplex>();
  /** Connected while frozen: the kernel took them, nobody answers. */
  readonly #waiting = new Set<Socket>();

  constructor(port: number, accept: Acceptor, host = '127.0.0.1') {
    this.#port = port;
    this.#host = host;
    this.#accept = accept;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async start(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#connected(socket));
    server.listen(this.#port, this.#host);
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** New connections are refused by the kernel; those that are open stay. */
  async setRefusing(refusing: boolean): Promise<void> {
    if (this.#refusing === refusing || this.#stopped) return;
    this.#refusing = refusing;
    if (refusing) this.#stopListening();
    else await this.start();
  }

  /** Freezes or thaws all connections, open and coming: nothing is read, nothing is written. */
  setStalled(stalled: boolean): void {
    if (this.#stalled === stalled) return;
    this.#stalled = stalled;
    for (const stream of this.#streams) (stalled ? freeze : thaw)(stream);
    if (stalled) return;
    for (const socket of this.#waiting) this.#accept(socket);
    this.#waiting.clear();
  }

  /** A stream whose peer shall see the freeze; call it once for each accepted socket. */
  freezable(stream: Duplex): void {
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    if (this.#stalled) freeze(stream);
  }

  /** Cuts every connection with a reset, as a dying network does; returns how many. */
  drop(): number {
    const cut = [...this.#sockets];
    for (const socket of cut) socket.resetAndDestroy();
    return cut.length;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopListening();
    for (const socket of this.#sockets) socket.destroy();
  }

  #stopListening(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#waiting.delete(socket);
    });
    if (this.#stalled) this.#waiting.add(socket);
    else this.#accept(socket);
  }
}

// Corked output waits in memory: bounded, since what is not read asks for no answers.
function freeze(stream: Duplex): void {
  stream.pause();
  stream.cork();
}

function thaw(stream: Duplex): void {
  stream.uncork();
  stream.resume();
}
