// The service side's REST calls: direct methods, twins and the registry, as far as clients here use them.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../kernel/log.ts';
import type { FaultState } from './faults.ts';
import { HttpError, parseUrl, readJson, sendJson } from './http.ts';
import { type Identities, type Identity, identityName } from './identities.ts';
import { methodNameProblem } from './limits.ts';
import { type DirectMethods, maxMethodPayloadBytes } from './methods.ts';
import { parseTwinQuery, QueryError, type TwinQuery } from './twin-query.ts';
import type { JsonObject, Twins } from './twins.ts';

export interface RestParts {
  readonly identities: Identities;
  readonly methods: DirectMethods;
  readonly twins: Twins;
  readonly faults: FaultState;
  readonly log: Log;
}

interface Target {
  readonly deviceId: string;
  readonly moduleId: string | undefined;
}

/** IoT Hub's limits for a direct method's payload and timeouts. */
const responseTimeout = { least: 5, most: 300, usual: 30 };
const connectTimeout = { least: 0, most: 300, usual: 0 };

/** IoT Hub's numeric error codes, as its answers carry them. */
const errorCodes: Record<string, number> = {
  ArgumentInvalid: 400004,
  IotHubUnauthorizedAccess: 401002,
  DeviceNotFound: 404001,
  ModuleNotFound: 404010,
  DeviceNotOnline: 404103,
  PreconditionFailed: 412001,
  RequestEntityTooLarge: 413001,
  ThrottlingException: 429001,
  GatewayTimeout: 504101,
};

export function createRestHandler(
  parts: RestParts,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    handle(parts, request, response).catch((error: unknown) => {
      if (!(error instanceof HttpError))
        parts.log.error({ code: 'http-call-failed', error: String(error) }, 'REST call failed');
      sendError(
        response,
        error instanceof HttpError ? error : new HttpError(500, 'ServerError', String(error)),
      );
    });
  };
}

async function handle(parts: RestParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { faults } = parts;
  if (faults.cutsOn('rest')) {
    request.socket.destroy();
    return;
  }
  if (faults.isSilent('rest')) return;
  const status = faults.restStatus();
  if (status !== undefined)
    throw new HttpError(status, status === 429 ? 'ThrottlingException' : 'OnDemand', 'failed on demand');
  const { path } = parseUrl(request);
  const check = parts.identities.checkServiceToken(
    request.headers.authorization,
    `/${path.join('/')}`,
    Date.now(),
  );
  if (!check.ok) throw new HttpError(401, 'IotHubUnauthorizedAccess', `unauthorized: ${check.problem}`);
  if (request.method === 'POST' && path.join('/') === 'devices/query')
    return answerQuery(parts, request, response);
  const route = `${request.method} ${path[0]}`;
  const target = targetOf(path);
  if (!target) throw new HttpError(404, 'ArgumentInvalid', `no such path: ${request.url}`);
  if (route === 'POST twins' && path.at(-1) === 'methods') return invoke(parts, target, request, response);
  if (path.at(-1) === 'methods') throw new HttpError(404, 'ArgumentInvalid', `no such path: ${request.url}`);
  if (path[0] === 'twins') return answerTwin(parts, target, request, response);
  return answerRegistry(parts, target, request, response);
}

/** `/twins/D`, `/twins/D/modules/M`, each also with `/methods`; `/devices/D`, `/devices/D/modules/M`. */
function targetOf(path: readonly string[]): Target | undefined {
  const [root, deviceId, modules, moduleId] = path.at(-1) === 'methods' ? path.slice(0, -1) : path;
  if ((root !== 'twins' && root !== 'devices') || deviceId === undefined) return undefined;
  if (modules === undefined) return { deviceId, moduleId: undefined };
  return modules === 'modules' && moduleId !== undefined ? { deviceId, moduleId } : undefined;
}

async function invoke(
  { identities, methods, log }: RestParts,
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readJson(request);
  const { methodName, payload } = body;
  if (typeof methodName !== 'string' || methodName === '')
    throw new HttpError(400, 'ArgumentInvalid', 'methodName must be a string');
  const problem = methodNameProblem(methodName);
  if (problem !== undefined) throw new HttpError(400, 'ArgumentInvalid', problem);
  if (Buffer.byteLength(JSON.stringify(payload ?? null)) > maxMethodPayloadBytes)
    throw new HttpError(
      413,
      'RequestEntityTooLarge',
      `the payload is larger than ${maxMethodPayloadBytes} bytes`,
    );
  mustExist(identities, target);
  const call = {
    ...target,
    name: methodName,
    payload,
    responseTimeoutMs: 1000 * seconds(body, 'responseTimeoutInSeconds', responseTimeout),
    connectTimeoutMs: 1000 * seconds(body, 'connectTimeoutInSeconds', connectTimeout),
  };
  const result = await methods.invoke(call);
  log.debug({ ...target, methodName, result: result.kind }, 'direct method');
  if (result.kind === 'offline')
    throw new HttpError(404, 'DeviceNotOnline', 'the device is not online or has no method handler');
  if (result.kind === 'timeout')
    throw new HttpError(504, 'GatewayTimeout', 'timed out waiting for the response from the device');
  sendJson(response, 200, { status: result.status, payload: result.payload });
}

function seconds(
  body: Record<string, unknown>,
  name: string,
  { least, most, usual }: typeof responseTimeout,
): number {
  const value = body[name] ?? usual;
  if (typeof value !== 'number' || value < least || value > most)
    throw new HttpError(400, 'ArgumentInvalid', `${name} must be between ${least} and ${most}`);
  return value;
}

async function answerTwin(
  parts: RestParts,
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { identities, twins } = parts;
  mustExist(identities, target);
  if (request.method === 'PATCH' || request.method === 'PUT') {
    const body = await readJson(request);
    const desired = (body.properties as JsonObject | undefined)?.desired as JsonObject | undefined;
    try {
      if (request.method === 'PATCH' && desired) twins.patchDesired(target, desired);
      else if (desired) twins.replaceDesired(target, desired);
      if (body.tags) twins.patchTags(target, body.tags as JsonObject);
    } catch (error) {
      throw new HttpError(400, 'ArgumentInvalid', (error as Error).message);
    }
  } else if (request.method !== 'GET')
    throw new HttpError(405, 'ArgumentInvalid', `${request.method} is not for twins`);
  sendJson(response, 200, twinForService(parts, target));
}

/** IoT Hub's own. */
const maxQueried = 100;

/** A page of twins in the order of their names; the continuation is the last name of the page before. */
async function answerQuery(
  parts: RestParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { query: text } = await readJson(request);
  if (typeof text !== 'string') throw new HttpError(400, 'ArgumentInvalid', 'query must be a string');
  const query = parseQuery(text);
  const after = continuationOf(header(request, 'x-ms-continuation'), text);
  const asked = Number(header(request, 'x-ms-max-item-count') ?? maxQueried);
  const limit = asked >= 1 ? Math.min(maxQueried, Math.floor(asked)) : maxQueried;
  const wanted = parts.identities
    .all()
    .filter(({ moduleId }) => (moduleId !== undefined) === (query.from === 'devices.modules'))
    .map((identity) => ({ identity, name: identityName(identity.deviceId, identity.moduleId) }))
    .filter(({ name }) => name > after)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const page: JsonObject[] = [];
  let last: string | undefined;
  for (const { identity, name } of wanted) {
    const twin = twinForService(parts, identity);
    if (!query.matches(twin)) continue;
    if (page.length === limit) {
      response.setHeader('x-ms-continuation', Buffer.from(JSON.stringify([text, last])).toString('base64'));
      break;
    }
    page.push(query.show(twin));
    last = name;
  }
  response.setHeader('x-ms-item-type', query.isWhole ? 'Twin' : 'Raw');
  sendJson(response, 200, page);
}

function parseQuery(text: string): TwinQuery {
  try {
    return parseTwinQuery(text);
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    throw new HttpError(400, 'ArgumentInvalid', `query: ${error.message}`);
  }
}

function continuationOf(token: string | undefined, query: string): string {
  if (token === undefined) return '';
  try {
    const [text, last] = JSON.parse(Buffer.from(token, 'base64').toString()) as [string, string];
    if (text === query) return last;
  } catch {
    // Told below.
  }
  throw new HttpError(400, 'ArgumentInvalid', 'the continuation is not of this query');
}

function header({ headers }: IncomingMessage, name: string): string | undefined {
  return [headers[name]].flat()[0];
}

async function answerRegistry(
  { identities, methods, twins }: RestParts,
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { deviceId, moduleId } = target;
  if (request.method === 'PUT') {
    await readJson(request);
    identities.register(deviceId, moduleId);
  } else if (request.method === 'DELETE') {
    mustExist(identities, target);
    identities.remove(deviceId, moduleId);
    twins.remove(target);
    sendJson(response, 204);
    return;
  } else if (request.method !== 'GET')
    throw new HttpError(405, 'ArgumentInvalid', `${request.method} is not for identities`);
  const identity = mustExist(identities, target);
  sendJson(response, 200, identityForService(identity, methods.isOnline(deviceId, moduleId)));
}

function mustExist(identities: Identities, { deviceId, moduleId }: Target): Identity {
  const identity = identities.find(deviceId, moduleId);
  const code = moduleId === undefined ? 'DeviceNotFound' : 'ModuleNotFound';
  if (!identity) throw new HttpError(404, code, `${identityName(deviceId, moduleId)} is not registered`);
  return identity;
}

function twinForService({ twins, identities, methods }: RestParts, target: Target): JsonObject {
  const twin = twins.of(target);
  const { deviceId, moduleId } = target;
  return {
    deviceId: twin.deviceId,
    ...(twin.moduleId === undefined ? {} : { moduleId: twin.moduleId }),
    etag: etag(twin.desiredVersion),
    version: twin.desiredVersion + twin.reportedVersion,
    status: 'enabled',
    connectionState: methods.isOnline(deviceId, moduleId) ? 'Connected' : 'Disconnected',
    ...(moduleId === undefined && { capabilities: { iotEdge: identities.hasModules(deviceId) } }),
    tags: twin.tags,
    properties: {
      desired: { ...twin.desired, $version: twin.desiredVersion },
      reported: {
        ...twin.reported,
        $metadata: { $lastUpdated: new Date(twin.reportedAt).toISOString() },
        $version: twin.reportedVersion,
      },
    },
  };
}

function identityForService(identity: Identity, isOnline: boolean): JsonObject {
  return {
    deviceId: identity.deviceId,
    ...(identity.moduleId === undefined ? {} : { moduleId: identity.moduleId }),
    generationId: identity.generationId,
    etag: etag(1),
    status: 'enabled',
    connectionState: isOnline ? 'Connected' : 'Disconnected',
    authentication: { type: 'sas', symmetricKey: { primaryKey: identity.key, secondaryKey: identity.key } },
  };
}

function etag(version: number): string {
  return Buffer.from(String(version)).toString('base64');
}

function sendError(response: ServerResponse, error: HttpError): void {
  const detail = {
    errorCode: errorCodes[error.code] ?? error.status * 1000,
    trackingId: randomUUID(),
    message: error.message,
    timestampUtc: new Date().toISOString(),
  };
  if (!response.headersSent) response.setHeader('iothub-errorcode', error.code);
  sendJson(response, error.status, { Message: JSON.stringify(detail), ExceptionMessage: '' });
}
