import { readFileSync } from 'node:fs';
import type { ModuleClient } from 'azure-iot-device';
import { Client, Registry } from 'azure-iothub';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Hub, startHub } from './hub.ts';
import { agentFor, deviceId, moduleId, openModule } from './testing/clients.ts';
import { callService } from './testing/rest.ts';
import { handMadeToken } from './testing/tokens.ts';

let hub: Hub;
let client: ModuleClient;
let ca: string;

const serviceKey = () => /SharedAccessKey=(.*)$/.exec(hub.serviceConnectionString)![1]!;
const call = (method: string, path: string, body?: unknown, authorization?: string) =>
  callService(hub, method, path, body, authorization);

const methods = `/twins/${deviceId}/modules/${moduleId}/methods`;
const invoke = (body: object, path = methods) => call('POST', path, { payload: null, ...body });

beforeAll(async () => {
  hub = await startHub();
  ca = readFileSync(hub.caFile, 'utf8');
  client = await openModule(hub);
  client.onMethod('echo', (request, response) => response!.send(207, { got: request!.payload }));
  // In force once this returns.
  const probe = {
    deviceId,
    moduleId,
    name: 'echo',
    payload: 0,
    responseTimeoutMs: 5000,
    connectTimeoutMs: 5000,
  };
  await hub.invoke(probe);
});
afterEach(() => hub.clearFaults());
afterAll(async () => {
  await client.close();
  await hub.stop();
});

describe('a direct method by REST', () => {
  test('brings back what the module answered', async () => {
    const answer = await invoke({ methodName: 'echo', payload: { a: [1] } });
    expect(answer).toMatchObject({ status: 200, body: { status: 207, payload: { got: { a: [1] } } } });
  });

  test('is 404 for an unknown module and for one that is not connected', async () => {
    expect(await invoke({ methodName: 'echo' }, `/twins/${deviceId}/modules/nobody/methods`)).toMatchObject({
      status: 404,
      code: 'ModuleNotFound',
    });
    hub.register(deviceId, 'asleep');
    const answer = await invoke({ methodName: 'echo' }, `/twins/${deviceId}/modules/asleep/methods`);
    expect(answer).toMatchObject({ status: 404, code: 'DeviceNotOnline' });
    expect(JSON.parse(answer.body.Message!)).toMatchObject({ errorCode: 404103 });
  });

  test('is refused with a wrong key, an expired token, none at all, or the token of a device', async () => {
    const attempt = async (authorization: string) =>
      (await call('POST', methods, { methodName: 'echo' }, authorization)).status;
    expect(
      await attempt(handMadeToken('localhost', Buffer.from('wrong').toString('base64'), Date.now() + 60_000)),
    ).toBe(401);
    expect(await attempt(handMadeToken('localhost', serviceKey(), Date.now() - 1000))).toBe(401);
    expect(await attempt('')).toBe(401);
    const { key } = hub.register(deviceId);
    expect(await attempt(handMadeToken(`localhost/devices/${deviceId}`, key, Date.now() + 60_000))).toBe(401);
  });

  test.each([
    [{ methodName: 5 }, 400],
    [{ methodName: 'echo', responseTimeoutInSeconds: 1 }, 400],
    [{ methodName: 'echo', connectTimeoutInSeconds: 301 }, 400],
    [{ methodName: 'echo', payload: 'x'.repeat(140_000) }, 413],
  ])('is checked: %#', async (body, status) => {
    expect((await invoke(body)).status).toBe(status);
  });

  test('fails as told: throttled twice, then well again', async () => {
    await hub.setFaults({ rest: { status: 429, next: 2 } });
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await invoke({ methodName: 'echo' })).status);
    expect(statuses).toEqual([429, 429, 200]);
  });

  test('hangs while the hub is stalled, and is answered when it thaws', async () => {
    await hub.setFaults({ stall: ['service'] });
    const answer = invoke({ methodName: 'echo' });
    const pending = new Promise((resolve) => setTimeout(() => resolve('pending'), 150));
    expect(await Promise.race([answer, pending])).toBe('pending');
    await hub.setFaults({ stall: null });
    expect((await answer).status).toBe(200);
  });

  test('cut in the middle ends in a network error', async () => {
    await hub.setFaults({ cutOn: ['rest'] });
    await expect(invoke({ methodName: 'echo' })).rejects.toThrow();
  });
});

describe('twins by REST', () => {
  const path = `/twins/${deviceId}/modules/${moduleId}`;

  test('are read, patched and replaced', async () => {
    await call('PATCH', path, { tags: { site: 'a' }, properties: { desired: { rate: 5, old: 1 } } });
    await call('PATCH', path, { properties: { desired: { old: null } } });
    const { body } = await call('GET', path);
    expect(body).toMatchObject({
      deviceId,
      moduleId,
      tags: { site: 'a' },
      properties: { desired: { rate: 5 } },
    });
    await call('PUT', path, { properties: { desired: { only: true } } });
    expect(hub.twin(deviceId, moduleId).desired).toEqual({ only: true });
  });

  test('refuse what breaks a limit', async () => {
    expect((await call('PATCH', path, { properties: { desired: { 'a.b': 1 } } })).status).toBe(400);
  });
});

// The package dials 443 whatever the connection string says; only its HTTPS agent can be told otherwise.
describe('azure-iothub', () => {
  const connectionString = () => hub.serviceConnectionString.replace(/localhost:\d+/, 'localhost');
  const redirect = (of: unknown) =>
    (of as { _restApiClient: { setOptions(options: object): void } })._restApiClient.setOptions({
      http: { agent: agentFor(hub.httpsPort, ca) },
    });

  test('its registry creates, reads and removes modules, and changes twins', async () => {
    const registry = Registry.fromConnectionString(connectionString());
    redirect(registry);
    const created = await registry.addModule({ deviceId, moduleId: 'added' } as never);
    const primaryKey = (created.responseBody as { authentication: { symmetricKey: { primaryKey: string } } })
      .authentication.symmetricKey.primaryKey;
    expect(hub.deviceConnectionString(deviceId, 'added')).toContain(primaryKey);
    const twin = (await registry.getModuleTwin(deviceId, 'added')).responseBody;
    await registry.updateModuleTwin(deviceId, 'added', { properties: { desired: { rate: 9 } } }, twin.etag);
    expect(hub.twin(deviceId, 'added').desired).toEqual({ rate: 9 });
    await registry.removeModule(deviceId, 'added');
    await expect(registry.getModule(deviceId, 'added')).rejects.toThrow();
  });

  test('its client invokes direct methods', async () => {
    const service = Client.fromConnectionString(connectionString());
    redirect(service);
    const { result } = await service.invokeDeviceMethod(deviceId, moduleId, {
      methodName: 'echo',
      payload: 7,
    });
    expect(result).toEqual({ status: 207, payload: { got: 7 } });
  });
});
