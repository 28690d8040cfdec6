// The hub's network side: three listeners, TLS in front of two of them, and the network faults.
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Log } from '../../kernel/log.ts';
import { createAmqpServer, type LinkHandlers } from './amqp.ts';
import {
  type CertificateChange,
  changeCertificate,
  loadCertificate,
  type ServerCertificate,
} from './certificates.ts';
import { type Endpoint, endpoints, type Faults, type Where } from './faults.ts';
import { Listener } from './listener.ts';
import type { createRestHandler } from './rest.ts';
import { acceptWebSockets } from './websocket.ts';

export interface FrontParts {
  readonly certificateFolder: string;
  readonly ports: Readonly<Record<Endpoint, number>>;
  /** Where devices and modules connect to; all else stays on loopback. */
  readonly deviceHost: string;
  /** Names that certificates carry besides localhost. */
  readonly names: readonly string[];
  readonly devices: LinkHandlers;
  readonly consumers: LinkHandlers;
  readonly rest: ReturnType<typeof createRestHandler>;
  /** The faults in force: asked after each restart. */
  readonly faults: () => Faults;
  readonly log: Log;
}

export interface RestartOptions {
  readonly downMs?: number;
  readonly certificate?: CertificateChange;
  readonly where?: Where;
}

export class Front {
  readonly #parts: FrontParts;
  readonly #listeners: Readonly<Record<Endpoint, Listener>>;
  // New servers for each certificate; they never listen themselves, sockets are handed to them.
  #tls: { readonly amqps: TlsServer; readonly https: HttpsServer } | undefined;
  #certificate: ServerCertificate | undefined;
  /** Away for a restart, whatever the faults say. */
  readonly #down = new Set<Endpoint>();
  #restarting: Promise<void> = Promise.resolve();
  #applying: Promise<void> = Promise.resolve();

  constructor(parts: FrontParts) {
    this.#parts = parts;
    const consumers = createAmqpServer('event hub', parts.consumers, parts.log);
    this.#listeners = {
      device: new Listener(
        parts.ports.device,
        (socket) => this.#tls?.amqps.emit('connection', socket),
        parts.deviceHost,
      ),
      service: new Listener(parts.ports.service, (socket) => this.#tls?.https.emit('connection', socket)),
      eventHub: new Listener(parts.ports.eventHub, (socket) => {
        consumers.accept(socket);
        this.#listeners.eventHub.freezable(socket);
      }),
    };
  }

  get certificate(): ServerCertificate {
    return this.#certificate!;
  }

  port(endpoint: Endpoint): number {
    return this.#listeners[endpoint].port;
  }

  /** Open TCP connections. */
  connections(): Record<Endpoint, number> {
    const { device, service, eventHub } = this.#listeners;
    return { device: device.connections, service: service.connections, eventHub: eventHub.connections };
  }

  async start(): Promise<void> {
    this.#useCertificate(await loadCertificate(this.#parts.certificateFolder, this.#parts.names));
    for (const endpoint of endpoints) await this.#listeners[endpoint].start();
  }

  /** Refuses and freezes as the faults in force say; one change at a time, since listening takes a moment. */
  applyFaults(): Promise<void> {
    this.#applying = this.#applying.then(() => this.#apply());
    return this.#applying;
  }

  drop(where: Where): number {
    return chosen(where).reduce((sum, endpoint) => sum + this.#listeners[endpoint].drop(), 0);
  }

  restart(options: RestartOptions): Promise<void> {
    // One at a time: two overlapping restarts would listen twice on one port.
    const next = this.#restarting.then(() => this.#restart(options));
    this.#restarting = next.catch(() => {});
    return next;
  }

  async stop(): Promise<void> {
    for (const endpoint of endpoints) await this.#listeners[endpoint].stop();
  }

  async #apply(): Promise<void> {
    const { refuse, stall } = this.#parts.faults();
    for (const endpoint of endpoints) {
      const isRefusing = refuse !== undefined && chosen(refuse).includes(endpoint);
      this.#listeners[endpoint].setStalled(stall !== undefined && chosen(stall).includes(endpoint));
      await this.#listeners[endpoint].setRefusing(isRefusing || this.#down.has(endpoint));
    }
  }

  async #restart({ downMs = 0, certificate = 'same', where = true }: RestartOptions): Promise<void> {
    for (const endpoint of chosen(where)) this.#down.add(endpoint);
    await this.applyFaults();
    this.drop(where);
    const { certificateFolder, names } = this.#parts;
    this.#useCertificate(await changeCertificate(certificateFolder, certificate, names));
    await new Promise((wake) => setTimeout(wake, downMs));
    this.#down.clear();
    await this.applyFaults();
  }

  #useCertificate(certificate: ServerCertificate): void {
    this.#certificate = certificate;
    const { cert, key } = certificate;
    const { devices, rest, log } = this.#parts;
    const { device, service } = this.#listeners;
    const server = createAmqpServer('iot hub', devices, log);
    const amqps = createTlsServer({ cert, key }, (socket) => {
      server.accept(socket);
      device.freezable(socket);
    });
    const https = createHttpsServer({ cert, key }, rest);
    https.on('secureConnection', (socket) => service.freezable(socket));
    acceptWebSockets(https, (stream) => server.accept(stream));
    for (const tls of [amqps, https])
      tls.on('tlsClientError', (error) => log.info({ error: error.message }, 'TLS handshake failed'));
    this.#tls = { amqps, https };
  }
}

export function chosen(where: Where): readonly Endpoint[] {
  return where === true ? endpoints : where;
}
