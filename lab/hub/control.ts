// The control port: plain HTTP with JSON, on loopback. POST bodies are objects and may be left out.
//
//   GET  /state                  connections, counts, partitions, readers, faults
//   GET  /connections?device=D&module=M   registers the identity; connection strings, ports, edge environment
//   GET  /events?from=N&limit=M  stored events from ordinal N on; bodies as text, or base64 with &base64
//   GET  /lost                   what was accepted and lost on demand
//   GET  /faults                 the faults in force
//   POST /faults {..}            merges; null or false clears one. Names and shapes: Faults in faults.ts
//   DELETE /faults               clears all
//   POST /drop {where?}          cuts TCP connections
//   POST /close {where?, condition?}   AMQP Close, amqp:connection:forced by default
//   POST /restart {downMs?, certificate?, where?}   answers when the hub is back; certificate: same, renewed, new-ca, expired, wrong-name
//   GET  /twin?device=D&module=M
//   POST /desired {deviceId, moduleId?, patch}      merges into the desired properties and notifies
//   POST /route {deviceId, from, output?, to, input, ackTimeoutMs?}   module outputs to module inputs
//   POST /deliver {deviceId, moduleId?, body, input?, properties?, messageId?}   to a module's input, or a device
//   POST /invoke {deviceId, moduleId?, name, payload?, responseTimeoutMs?, connectTimeoutMs?}   direct method, without REST
//
// `where`: true (all), or some of ["device", "service", "eventHub"].
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type CertificateChange, certificateChanges } from './certificates.ts';
import type { StoredEvent } from './event-log.ts';
import { endpoints, type FaultPatch, type Where } from './faults.ts';
import { HttpError, parseUrl, readJson, sendJson } from './http.ts';
import type { Hub } from './hub-port.ts';
import { twinForDevice } from './twins.ts';

type Body = Record<string, unknown>;
type Answer = unknown;
type Action = (hub: Hub, body: Body, query: URLSearchParams) => Answer | Promise<Answer>;

const maxEvents = 10_000;

const actions: Record<string, Action> = {
  'GET /state': (hub) => hub.state(),
  'GET /connections': (hub, _, query) =>
    connections(hub, text(query, 'device'), query.get('module') ?? undefined),
  'GET /events': (hub, _, query) => events(hub, query),
  'GET /lost': (hub) => ({ lost: hub.lost() }),
  'GET /faults': (hub) => hub.state().faults,
  'POST /faults': (hub, body) => checked(() => hub.setFaults(body as FaultPatch)),
  'DELETE /faults': async (hub) => {
    await hub.clearFaults();
    return {};
  },
  'POST /drop': (hub, body) => ({ dropped: hub.drop(where(body)) }),
  'POST /close': (hub, body) => ({ closed: hub.close(where(body), optional(body, 'condition', 'string')) }),
  'POST /restart': async (hub, body) => {
    await hub.restart({
      downMs: optional(body, 'downMs', 'number') ?? 0,
      certificate: certificate(body),
      where: where(body),
    });
    return {};
  },
  'GET /twin': (hub, _, query) =>
    twinForDevice(hub.twin(text(query, 'device'), query.get('module') ?? undefined)),
  'POST /desired': async (hub, body) => {
    const [deviceId, moduleId] = [required(body, 'deviceId'), optional(body, 'moduleId', 'string')];
    return twinForDevice(await checked(() => hub.setDesired(deviceId, moduleId, body.patch as Body)));
  },
  'POST /deliver': (hub, body) => deliver(hub, body),
  'POST /route': (hub, body) => {
    const output = optional(body, 'output', 'string');
    const route = {
      deviceId: required(body, 'deviceId'),
      from: required(body, 'from'),
      to: required(body, 'to'),
      input: required(body, 'input'),
    };
    hub.route(output === undefined ? route : { ...route, output }, optional(body, 'ackTimeoutMs', 'number'));
    return { routed: true };
  },
  'POST /invoke': (hub, body) =>
    hub.invoke({
      deviceId: required(body, 'deviceId'),
      moduleId: optional(body, 'moduleId', 'string'),
      name: required(body, 'name'),
      payload: body.payload,
      responseTimeoutMs: optional(body, 'responseTimeoutMs', 'number') ?? 30_000,
      connectTimeoutMs: optional(body, 'connectTimeoutMs', 'number') ?? 0,
    }),
};

export function createControlHandler(hub: Hub): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    answer(hub, request).then(
      (value) => sendJson(response, 200, value),
      (error: unknown) =>
        sendJson(response, error instanceof HttpError ? error.status : 500, {
          error: (error as Error).message,
        }),
    );
  };
}

async function answer(hub: Hub, request: IncomingMessage): Promise<Answer> {
  const { path, query } = parseUrl(request);
  const action = actions[`${request.method} /${path.join('/')}`];
  if (!action)
    throw new HttpError(404, 'NotFound', `no such action; there are ${Object.keys(actions).join(', ')}`);
  return action(hub, request.method === 'POST' ? await readJson(request) : {}, query);
}

function connections(hub: Hub, deviceId: string, moduleId: string | undefined): Answer {
  return {
    amqpsPort: hub.amqpsPort,
    httpsPort: hub.httpsPort,
    eventHubPort: hub.eventHubPort,
    caFile: hub.caFile,
    deviceConnectionString: hub.deviceConnectionString(deviceId, moduleId),
    serviceConnectionString: hub.serviceConnectionString,
    eventHubConnectionString: hub.eventHubConnectionString,
    ...(moduleId === undefined ? {} : { edgeEnvironment: hub.edgeEnvironment(deviceId, moduleId) }),
  };
}

function events(hub: Hub, query: URLSearchParams): Answer {
  const encoding = query.has('base64') ? 'base64' : 'utf8';
  const limit = Math.min(Number(query.get('limit') ?? 100), maxEvents);
  const found = hub.events(Number(query.get('from') ?? 0), limit);
  const show = ({ body, ...rest }: StoredEvent) => ({ ...rest, body: body.toString(encoding) });
  return { events: found.map(show), next: (found.at(-1)?.ordinal ?? Number(query.get('from') ?? 0) - 1) + 1 };
}

// What the hub throws at a caller's value is the caller's mistake.
async function checked<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new HttpError(400, 'BadRequest', (error as Error).message);
  }
}

function deliver(hub: Hub, body: Body): Answer {
  const message = {
    body: typeof body.body === 'string' ? body.body : JSON.stringify(body.body ?? null),
    ...(body.input === undefined ? {} : { input: required(body, 'input') }),
    ...(body.messageId === undefined ? {} : { messageId: required(body, 'messageId') }),
    ...(body.properties === undefined ? {} : { properties: body.properties as Record<string, string> }),
  };
  return {
    delivered: hub.deliver(required(body, 'deviceId'), optional(body, 'moduleId', 'string'), message),
  };
}

function where(body: Body): Where {
  const value = body.where ?? true;
  if (value === true) return true;
  if (Array.isArray(value) && value.every((item) => endpoints.includes(item))) return value;
  throw new HttpError(400, 'BadRequest', `where must be true or some of ${endpoints.join(', ')}`);
}

function certificate(body: Body): CertificateChange {
  const value = (body.certificate ?? 'same') as CertificateChange;
  if (certificateChanges.includes(value)) return value;
  throw new HttpError(400, 'BadRequest', `certificate must be one of ${certificateChanges.join(', ')}`);
}

function text(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (!value) throw new HttpError(400, 'BadRequest', `?${name}= is missing`);
  return value;
}

function required(body: Body, name: string): string {
  const value = optional(body, name, 'string');
  if (!value) throw new HttpError(400, 'BadRequest', `${name} is missing`);
  return value;
}

function optional(body: Body, name: string, type: 'string'): string | undefined;
function optional(body: Body, name: string, type: 'number'): number | undefined;
function optional(body: Body, name: string, type: string): unknown {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== type) throw new HttpError(400, 'BadRequest', `${name} must be a ${type}`);
  return value;
}
