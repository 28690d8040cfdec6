// The IoT Edge workload API on a unix socket: trust bundle, signing, and encryption with a key of the hub's own.
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { FaultState } from './faults.ts';
import { HttpError, parseUrl, readJson, sendJson } from './http.ts';
import type { Identities, Identity } from './identities.ts';

export interface WorkloadParts {
  readonly identities: Identities;
  readonly faults: FaultState;
  /** PEM of the authorities that modules shall trust. */
  readonly trustBundle: () => string;
}

export function createWorkloadServer(parts: WorkloadParts): Server {
  return createServer((request, response) => {
    if (parts.faults.cutsOn('workload')) request.socket.destroy();
    else if (!parts.faults.isSilent('workload'))
      handle(parts, request, response).catch((error: unknown) => {
        const status = error instanceof HttpError ? error.status : 500;
        sendJson(response, status, { message: (error as Error).message });
      });
  });
}

async function handle(
  parts: WorkloadParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { path, query } = parseUrl(request);
  if (!query.has('api-version')) throw new HttpError(400, 'BadRequest', 'api-version is missing');
  if (request.method === 'GET' && path.length === 1 && path[0] === 'trust-bundle')
    return sendJson(response, 200, { certificate: parts.trustBundle() });
  const [modules, moduleId, genid, generationId, operation] = path;
  if (request.method !== 'POST' || modules !== 'modules' || genid !== 'genid')
    throw new HttpError(404, 'NotFound', `no such path: ${request.url}`);
  const identity = parts.identities
    .all()
    .find((known) => known.moduleId === moduleId && known.generationId === generationId);
  if (!identity) throw new HttpError(404, 'NotFound', `no module ${moduleId} of generation ${generationId}`);
  const body = await readJson(request);
  if (operation === 'sign') return sendJson(response, 200, { digest: signFor(identity, body) });
  if (operation === 'encrypt') return sendJson(response, 200, { ciphertext: encrypt(identity, body) });
  if (operation === 'decrypt') return sendJson(response, 200, { plaintext: decrypt(identity, body) });
  throw new HttpError(404, 'NotFound', `no such operation: ${operation}`);
}

function signFor(identity: Identity, body: Record<string, unknown>): string {
  if (body.algo !== 'HMACSHA256') throw new HttpError(400, 'BadRequest', `unknown algorithm ${body.algo}`);
  return createHmac('sha256', Buffer.from(identity.key, 'base64'))
    .update(bytesOf(body, 'data'))
    .digest('base64');
}

function encrypt(identity: Identity, body: Record<string, unknown>): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(identity, body), nonce);
  const sealed = Buffer.concat([cipher.update(bytesOf(body, 'plaintext')), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
}

function decrypt(identity: Identity, body: Record<string, unknown>): string {
  const sealed = bytesOf(body, 'ciphertext');
  try {
    const decipher = createDecipheriv('aes-256-gcm', keyOf(identity, body), sealed.subarray(0, 12));
    decipher.setAuthTag(sealed.subarray(12, 28));
    return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]).toString('base64');
  } catch {
    throw new HttpError(400, 'BadRequest', 'the ciphertext is not one of this module with this vector');
  }
}

// The initialisation vector is the caller's context, as in IoT Edge: with another one nothing decrypts.
function keyOf(identity: Identity, body: Record<string, unknown>): Buffer {
  const vector = bytesOf(body, 'initializationVector');
  return createHash('sha256').update(identity.key).update(vector).digest();
}

function bytesOf(body: Record<string, unknown>, name: string): Buffer {
  const value = body[name];
  if (typeof value !== 'string') throw new HttpError(400, 'BadRequest', `${name} must be base64 text`);
  return Buffer.from(value, 'base64');
}
