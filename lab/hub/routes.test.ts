// Routes between modules, spoken to by the unmodified client on both ends.
import type device from 'azure-iot-device';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Hub, startHub } from './hub.ts';
import { deviceId, eventually, moduleClient, telemetry } from './testing/clients.ts';

let hub: Hub;
let receivers = 0;
const clients: device.ModuleClient[] = [];

beforeAll(async () => {
  hub = await startHub();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => hub.stop());

async function open(moduleId: string): Promise<device.ModuleClient> {
  const client = await moduleClient(hub, hub.deviceConnectionString(deviceId, moduleId));
  await client.open();
  clients.push(client);
  return client;
}

/** A sender, a receiver of its own, and what the receiver got. */
async function pair(output?: string) {
  const name = `receiver-${++receivers}`;
  const sender = await open(`sender-${receivers}`);
  const route = { deviceId, from: `sender-${receivers}`, to: name, input: 'in' };
  hub.route(output === undefined ? route : { ...route, output }, 1000);
  const got: string[] = [];
  const receive = async (settle: 'complete' | 'abandon' | 'reject' | 'nothing') => {
    const client = await open(name);
    client.on('inputMessage', (input, message) => {
      got.push(`${input} ${message.getData()} ${message.properties.getValue('n')}`);
      if (settle !== 'nothing') client[settle](message, () => {});
    });
    return client;
  };
  const send = (body: string) => sender.sendOutputEvent(output ?? 'out', telemetry(body, { n: body }));
  return { name, sender, got, receive, send };
}

test('hand messages on in order, one at a time, and keep them while nobody listens', async () => {
  const { name, got, receive, send } = await pair('temperature');
  for (const body of ['1', '2', '3']) await send(body);
  expect(hub.waitingFor(deviceId, name)).toBe(3);
  await receive('complete');
  await eventually(() => hub.waitingFor(deviceId, name) === 0);
  expect(got).toEqual(['in 1 1', 'in 2 2', 'in 3 3']);
});

test('send again what is given back, rejected or not settled, and nothing before it', async () => {
  for (const settle of ['abandon', 'reject', 'nothing'] as const) {
    const { name, got, receive, send } = await pair();
    for (const body of ['1', '2']) await send(body);
    const bad = await receive(settle);
    await eventually(() => got.length >= 2);
    expect(new Set(got)).toEqual(new Set(['in 1 1']));
    await bad.close();
    await receive('complete');
    await eventually(() => hub.waitingFor(deviceId, name) === 0);
    expect(got.at(-1)).toBe('in 2 2');
  }
});

test('go on while there is no way to the cloud; what is for the cloud is kept, and comes there afterwards', async () => {
  const { name, sender, got, receive, send } = await pair('local');
  await receive('complete');
  const before = hub.events(0, 10_000).length;
  await hub.setFaults({ noUpstream: true });
  await send('1');
  await sender.sendOutputEvent('elsewhere', telemetry('2', {}));
  await eventually(() => hub.waitingFor(deviceId, name) === 0);
  expect(got).toEqual(['in 1 1']);
  expect(hub.events(0, 10_000)).toHaveLength(before);
  const call = { deviceId, moduleId: name, name: 'status', responseTimeoutMs: 1000, connectTimeoutMs: 0 };
  expect(await hub.invoke({ ...call, payload: {} })).toEqual({ kind: 'offline' });
  await hub.setFaults({ noUpstream: null });
  expect(hub.events(before, 10).map(({ body }) => String(body))).toEqual(['2']);
});

test('leave other outputs, other modules and plain telemetry alone', async () => {
  const { name, sender } = await pair('routed');
  const before = hub.events(0, 10_000).length;
  await sender.sendOutputEvent('other', telemetry('x'));
  await sender.sendEvent(telemetry('y'));
  expect(hub.waitingFor(deviceId, name)).toBe(0);
  expect(hub.events(0, 10_000)).toHaveLength(before + 2);
});
