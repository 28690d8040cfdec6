import { createHash } from 'node:crypto';
import { request } from 'node:http';
import type { ModuleClient } from 'azure-iot-device';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Hub, startHub } from './hub.ts';
import { deviceId, eventually, moduleId, openModule, telemetry } from './testing/clients.ts';

let hub: Hub;
let client: ModuleClient;

// biome-ignore lint/suspicious/noExplicitAny: each test knows the shape that it asked for
type Json = any;

async function control(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Json }> {
  const response = await fetch(`http://127.0.0.1:${hub.controlPort}${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

beforeAll(async () => {
  hub = await startHub();
  client = await openModule(hub);
});
afterEach(() => hub.clearFaults());
afterAll(async () => {
  client.close().catch(() => {});
  await hub.stop();
});

describe('the control port', () => {
  test('shows state, events by page, and what was lost', async () => {
    for (const n of [1, 2, 3]) await client.sendEvent(telemetry(`{"n":${n}}`, { batchId: 'press' }));
    await control('POST', '/faults', { ackAndLose: { next: 1 } });
    await client.sendEvent(telemetry('{"n":4}', { batchId: 'press' }));
    expect((await control('GET', '/state')).body).toMatchObject({
      connections: { device: 1 },
      connected: [`${deviceId}/${moduleId}`],
      counts: { received: 4, accepted: 4, lost: 1 },
      events: { stored: 3, held: 3 },
      faults: {},
    });
    const page = (await control('GET', '/events?from=1&limit=1')).body;
    expect(page).toMatchObject({
      events: [{ ordinal: 1, body: '{"n":2}', properties: { batchId: 'press' } }],
      next: 2,
    });
    expect((await control('GET', '/events?from=9')).body).toEqual({ events: [], next: 9 });
    expect((await control('GET', '/lost')).body).toMatchObject({
      lost: [{ deviceId, properties: { batchId: 'press' } }],
    });
  });

  test('sets, shows and clears faults, and says what is wrong with one', async () => {
    await control('POST', '/faults', { delayMs: 5, neverSettle: true });
    expect((await control('POST', '/faults', { neverSettle: null })).body).toEqual({ delayMs: 5 });
    expect(await control('POST', '/faults', { nonsense: 1 })).toMatchObject({
      status: 400,
      body: { error: /unknown fault/ },
    });
    expect((await control('GET', '/faults')).body).toEqual({ delayMs: 5 });
    await control('DELETE', '/faults');
    expect((await control('GET', '/faults')).body).toEqual({});
  });

  test('hands out connection strings and the environment of a module', async () => {
    const { body } = await control('GET', '/connections?device=d9&module=m9');
    expect(body.deviceConnectionString).toBe(hub.deviceConnectionString('d9', 'm9'));
    expect(body.edgeEnvironment).toMatchObject({ IOTEDGE_DEVICEID: 'd9', IOTEDGE_MODULEID: 'm9' });
  });

  test('changes desired properties, delivers to inputs and calls methods', async () => {
    await control('POST', '/desired', { deviceId, moduleId, patch: { rate: 3 } });
    expect((await control('GET', `/twin?device=${deviceId}&module=${moduleId}`)).body.desired).toMatchObject({
      rate: 3,
    });
    const inputs: string[] = [];
    client.on('inputMessage', (input, message) => {
      inputs.push(`${input} ${message.getData()}`);
      client.complete(message, () => {});
    });
    const message = { deviceId, moduleId, input: 'in', body: { a: 1 } };
    for (let n = 0; n < 100 && !(await control('POST', '/deliver', message)).body.delivered; n++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await eventually(() => inputs.length > 0);
    expect(inputs[0]).toBe('in {"a":1}');
    client.onMethod('hi', (_, response) => response!.send(200, 'there'));
    const call = { deviceId, moduleId, name: 'hi', responseTimeoutMs: 2000, connectTimeoutMs: 2000 };
    expect((await control('POST', '/invoke', call)).body).toEqual({
      kind: 'answered',
      status: 200,
      payload: 'there',
    });
  });

  test.each([
    ['GET', '/nowhere', undefined, 404],
    ['POST', '/faults', 'not json', 400],
    ['POST', '/drop', { where: ['moon'] }, 400],
    ['POST', '/restart', { certificate: 'gold' }, 400],
    ['POST', '/restart', { downMs: 'long' }, 400],
    ['POST', '/desired', { patch: {} }, 400],
    ['POST', '/desired', { deviceId, patch: { 'a.b': 1 } }, 400],
    ['GET', '/connections', undefined, 400],
  ])('%s %s with %j is refused', async (method, path, body, status) => {
    expect((await control(method, path, body)).status).toBe(status);
  });

  test('drops, closes and restarts', async () => {
    expect((await control('POST', '/drop', { where: ['eventHub'] })).body).toEqual({ dropped: 0 });
    expect((await control('POST', '/close', { where: ['device'] })).body).toEqual({ closed: 1 });
    expect((await control('POST', '/restart', { downMs: 1 })).status).toBe(200);
    expect((await control('GET', '/state')).body.connections.device).toBe(0);
  });
});

describe('the workload API', () => {
  const call = (method: string, path: string, body?: object): Promise<{ status: number; body: Json }> =>
    new Promise((resolve, reject) => {
      const sent = request({ socketPath: hub.workloadSocket, method, path }, async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        resolve({ status: response.statusCode!, body: JSON.parse(Buffer.concat(chunks).toString()) });
      });
      sent.on('error', reject);
      sent.setTimeout(200, () => sent.destroy(new Error('no answer')));
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const version = 'api-version=2018-06-28';
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const own = () => `/modules/${moduleId}/genid/${hub.register(deviceId, moduleId).generationId}`;

  test('gives the trust bundle', async () => {
    const { body } = await call('GET', `/trust-bundle?${version}`);
    expect(createHash('sha256').update(body.certificate).digest('hex')).toHaveLength(64);
    expect(body.certificate).toContain('BEGIN CERTIFICATE');
  });

  test('signs for a module it knows, of the right generation', async () => {
    const order = { keyId: 'primary', algo: 'HMACSHA256', data: base64('text') };
    expect((await call('POST', `${own()}/sign?${version}`, order)).body.digest).toMatch(
      /^[A-Za-z0-9+/]{43}=$/,
    );
    expect((await call('POST', `/modules/${moduleId}/genid/1/sign?${version}`, order)).status).toBe(404);
    expect((await call('POST', `${own()}/sign`, order)).status).toBe(400);
  });

  test('decrypts what it encrypted, with the same vector only', async () => {
    const order = { plaintext: base64('secret'), initializationVector: base64('vector') };
    const { ciphertext } = (await call('POST', `${own()}/encrypt?${version}`, order)).body;
    const decrypt = (vector: string) =>
      call('POST', `${own()}/decrypt?${version}`, { ciphertext, initializationVector: base64(vector) });
    expect((await decrypt('vector')).body.plaintext).toBe(base64('secret'));
    expect((await decrypt('another')).status).toBe(400);
  });

  test('falls silent or hangs up on demand', async () => {
    await hub.setFaults({ silent: ['workload'] });
    await expect(call('GET', `/trust-bundle?${version}`)).rejects.toThrow('no answer');
    await hub.setFaults({ silent: null, cutOn: ['workload'] });
    await expect(call('GET', `/trust-bundle?${version}`)).rejects.toThrow(/socket hang up|ECONNRESET/);
  });
});
