// The stand-in for Azure IoT Hub and the IoT Edge workload API: one object that starts and stops all of it.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { silentLog } from '../../kernel/log.ts';
import { systemRandom } from '../../kernel/random.ts';
import type { Connection } from './amqp.ts';
import { createControlHandler } from './control.ts';
import { DeviceEndpoint, type DeviceMessage } from './device-endpoint.ts';
import { EventHubEndpoint } from './event-hub.ts';
import { defaultRetention, EventLog, type StoredEvent } from './event-log.ts';
import { type FaultPatch, FaultState, type Faults, type Where } from './faults.ts';
import { chosen, Front, type RestartOptions } from './front.ts';
import type { Hub, HubOptions, HubState } from './hub-port.ts';
import { Identities, type Identity } from './identities.ts';
import { eventHubName } from './management.ts';
import { DirectMethods, type MethodCall, type MethodResult } from './methods.ts';
import { createRestHandler } from './rest.ts';
import { type Route, Routes } from './routes.ts';
import { type LostMessage, Telemetry } from './telemetry.ts';
import { type JsonObject, type Twin, Twins } from './twins.ts';
import { createWorkloadServer } from './workload.ts';

export type { Hub, HubOptions, HubState } from './hub-port.ts';

// Addresses that tokens may name; connections go to loopback in any case.
const hosts = ['localhost', '127.0.0.1'];
const maxSocketPathLength = 100;

export async function startHub(options: HubOptions = {}): Promise<Hub> {
  const hub = new LocalHub(options, options.dataFolder ?? mkdtempSync(join(tmpdir(), 'holdfast-hub-')));
  await hub.start();
  return hub;
}

class LocalHub implements Hub {
  readonly #folder: string;
  readonly #isTemporary: boolean;
  readonly #identities: Identities;
  readonly #faults: FaultState;
  readonly #events: EventLog;
  readonly #telemetry: Telemetry;
  readonly #methods: DirectMethods;
  readonly #twins = new Twins();
  readonly #routes = new Routes();
  readonly #devices: DeviceEndpoint;
  readonly #consumers: EventHubEndpoint;
  readonly #front: Front;
  readonly #control: HttpServer;
  readonly #controlPort: number;
  readonly #deviceHostName: string;
  readonly #workload: HttpServer;
  readonly workloadSocket: string;
  #stopped = false;

  constructor(options: HubOptions, folder: string) {
    this.#folder = resolve(folder);
    this.#isTemporary = options.dataFolder === undefined;
    const [log, random] = [options.log ?? silentLog, options.random ?? systemRandom];
    this.#deviceHostName = options.deviceHostName ?? 'localhost';
    this.workloadSocket = options.workloadSocket ?? socketPath(this.#folder);
    const identities = new Identities(loadSecret(this.#folder), hosts);
    const faults = new FaultState(random);
    const events = new EventLog(options.partitions ?? 4, { ...defaultRetention, ...options.retention });
    const strictMessageIds = options.strictMessageIds ?? false;
    const telemetry = new Telemetry({ events, faults, random, log, strictMessageIds });
    const methods = new DirectMethods(faults);
    [this.#identities, this.#faults, this.#events] = [identities, faults, events];
    [this.#telemetry, this.#methods] = [telemetry, methods];
    const routes = this.#routes;
    const twins = this.#twins;
    this.#devices = new DeviceEndpoint({ identities, telemetry, methods, routes, twins, faults, log });
    this.#consumers = new EventHubEndpoint({ events, identities, faults, log });
    this.#front = new Front({
      certificateFolder: this.#folder,
      ports: {
        device: options.amqpsPort ?? 0,
        service: options.httpsPort ?? 0,
        eventHub: options.eventHubPort ?? 0,
      },
      deviceHost: options.deviceHost ?? '127.0.0.1',
      names: options.deviceHostName === undefined ? [] : [options.deviceHostName],
      devices: this.#devices,
      consumers: this.#consumers,
      rest: createRestHandler({ identities, methods, twins: this.#twins, faults, log }),
      faults: () => faults.current,
      log,
    });
    this.#control = createHttpServer(createControlHandler(this));
    this.#controlPort = options.controlPort ?? 0;
    const trustBundle = () => this.#front.certificate.ca;
    this.#workload = createWorkloadServer({ identities, faults, trustBundle });
  }

  async start(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    await this.#front.start();
    rmSync(this.workloadSocket, { force: true });
    this.#workload.listen(this.workloadSocket);
    this.#control.listen(this.#controlPort, '127.0.0.1');
    await Promise.all([once(this.#workload, 'listening'), once(this.#control, 'listening')]);
  }

  get amqpsPort(): number {
    return this.#front.port('device');
  }

  get httpsPort(): number {
    return this.#front.port('service');
  }

  get eventHubPort(): number {
    return this.#front.port('eventHub');
  }

  get controlPort(): number {
    return (this.#control.address() as AddressInfo).port;
  }

  get caFile(): string {
    return this.#front.certificate.caFile;
  }

  get serviceConnectionString(): string {
    const key = this.#identities.serviceKey;
    return `HostName=localhost:${this.httpsPort};SharedAccessKeyName=service;SharedAccessKey=${key}`;
  }

  get eventHubConnectionString(): string {
    const key = this.#identities.eventHubKey;
    return (
      `Endpoint=sb://localhost:${this.eventHubPort};SharedAccessKeyName=service;SharedAccessKey=${key};` +
      `EntityPath=${eventHubName};UseDevelopmentEmulator=true`
    );
  }

  deviceConnectionString(deviceId: string, moduleId?: string): string {
    const { key } = this.#identities.register(deviceId, moduleId);
    const module = moduleId === undefined ? '' : `;ModuleId=${moduleId}`;
    return (
      `HostName=localhost;GatewayHostName=${this.#deviceHostName}:${this.amqpsPort};` +
      `DeviceId=${deviceId}${module};SharedAccessKey=${key}`
    );
  }

  edgeEnvironment(deviceId: string, moduleId: string): Record<string, string> {
    return {
      IOTEDGE_WORKLOADURI: `unix://${this.workloadSocket}`,
      IOTEDGE_DEVICEID: deviceId,
      IOTEDGE_MODULEID: moduleId,
      IOTEDGE_MODULEGENERATIONID: this.#identities.register(deviceId, moduleId).generationId,
      IOTEDGE_IOTHUBHOSTNAME: 'localhost',
      IOTEDGE_GATEWAYHOSTNAME: `${this.#deviceHostName}:${this.amqpsPort}`,
      IOTEDGE_AUTHSCHEME: 'sasToken',
    };
  }

  register(deviceId: string, moduleId?: string): Identity {
    return this.#identities.register(deviceId, moduleId);
  }

  state(): HubState {
    return {
      connections: this.#front.connections(),
      connected: this.#devices.connected,
      counts: { ...this.#telemetry.counts },
      events: this.#events.stats,
      partitions: this.#events.partitions.map((partition) => ({
        partition: partition.index,
        firstSequence: partition.oldest?.sequence ?? partition.nextSequence,
        nextSequence: partition.nextSequence,
      })),
      readers: this.#consumers.readers,
      methods: { ...this.#methods.counts },
      routes: { ...this.#routes.counts },
      faults: { ...this.#faults.current },
    };
  }

  events(from = 0, limit = 1000): StoredEvent[] {
    return this.#events.from(from, limit);
  }

  lost(): readonly LostMessage[] {
    return this.#telemetry.lost;
  }

  onEvent(listener: (event: StoredEvent) => void): () => void {
    return this.#events.onAppend(listener);
  }

  async setFaults(patch: FaultPatch): Promise<Faults> {
    const faults = this.#faults.merge(patch);
    if (faults.noUpstream === undefined) this.#telemetry.forward();
    if (faults.reorder === undefined) this.#telemetry.flush();
    await this.#front.applyFaults();
    return { ...faults };
  }

  async clearFaults(): Promise<void> {
    this.#faults.clear();
    this.#telemetry.forward();
    this.#telemetry.flush();
    await this.#front.applyFaults();
  }

  drop(where: Where = true): number {
    return this.#front.drop(where);
  }

  close(where: Where = true, condition = 'amqp:connection:forced'): number {
    const at = chosen(where);
    const connections: Connection[] = [];
    if (at.includes('device')) connections.push(...this.#devices.connections);
    if (at.includes('eventHub')) connections.push(...this.#consumers.connections);
    for (const connection of connections)
      connection.close({ condition, description: 'The connection was closed by container on demand.' });
    return connections.length;
  }

  restart(options: RestartOptions = {}): Promise<void> {
    return this.#front.restart(options);
  }

  setDesired(deviceId: string, moduleId: string | undefined, patch: JsonObject): Twin {
    return this.#twins.patchDesired({ deviceId, moduleId }, patch);
  }

  twin(deviceId: string, moduleId?: string): Twin {
    return this.#twins.of({ deviceId, moduleId });
  }

  deliver(deviceId: string, moduleId: string | undefined, message: DeviceMessage): boolean {
    return this.#devices.deliver(deviceId, moduleId, message);
  }

  route(route: Route, ackTimeoutMs?: number): void {
    if (ackTimeoutMs !== undefined) this.#routes.ackTimeoutMs = ackTimeoutMs;
    this.#routes.add(route);
  }

  waitingFor(deviceId: string, moduleId: string): number {
    return this.#routes.waiting(deviceId, moduleId);
  }

  invoke(call: MethodCall): Promise<MethodResult> {
    return this.#methods.invoke(call);
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#telemetry.flush();
    this.#routes.stop();
    await this.#front.stop();
    for (const server of [this.#control, this.#workload]) {
      server.close();
      server.closeAllConnections();
    }
    if (this.#isTemporary) rmSync(this.#folder, { recursive: true, force: true });
  }
}

function loadSecret(folder: string): Uint8Array {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'secret');
  if (!existsSync(file)) writeFileSync(file, randomBytes(32), { mode: 0o600 });
  return readFileSync(file);
}

// A unix socket's path holds about 107 bytes; a deep data folder gets its socket elsewhere.
function socketPath(folder: string): string {
  const path = join(folder, 'workload.sock');
  if (Buffer.byteLength(path) <= maxSocketPathLength) return path;
  return join(mkdtempSync(join(tmpdir(), 'holdfast-hub-')), 'workload.sock');
}
