// The identity that IoT Edge gives: `fromEnvironment` against the stand-in's workload socket, with that API
// silent, gone, and gone just when a token must be renewed.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { systemRandom } from '../../kernel/random.ts';
import { type Hub, startHub } from '../../lab/hub/hub.ts';
import { createIotEdgeUplink, type EdgeUplink, type EdgeUplinkOptions } from './edge-uplink.ts';
import { message } from './testing/uplink-contract.ts';
import type { InputMessage } from './uplink.ts';

const variables = [
  'IOTEDGE_WORKLOADURI',
  'IOTEDGE_DEVICEID',
  'IOTEDGE_MODULEID',
  'IOTEDGE_MODULEGENERATIONID',
  'IOTEDGE_IOTHUBHOSTNAME',
  'IOTEDGE_GATEWAYHOSTNAME',
  'IOTEDGE_AUTHSCHEME',
];

let hub: Hub;
let uplinks: EdgeUplink[];
let before: Record<string, string | undefined>;

beforeEach(async () => {
  hub = await startHub();
  uplinks = [];
  before = Object.fromEntries(variables.map((name) => [name, process.env[name]]));
  Object.assign(process.env, hub.edgeEnvironment('device', 'holdfast'));
});
afterEach(async () => {
  for (const uplink of uplinks) await uplink.stop();
  await hub.stop();
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

function makeUplink(options: Partial<EdgeUplinkOptions> = {}): EdgeUplink {
  const uplink = createIotEdgeUplink({
    identity: { kind: 'iot-edge' },
    limits: { connectTimeoutMs: 1_500, reconnectMinMs: 50, reconnectMaxMs: 200, diagnoseIntervalMs: 100 },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    metrics: noMetrics,
    ...options,
  });
  uplinks.push(uplink);
  return uplink;
}

async function eventually(check: () => boolean, limitMs = 60_000): Promise<void> {
  for (const until = Date.now() + limitMs; !check(); ) {
    if (Date.now() > until) throw new Error(`not within ${limitMs} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('the module is known by what IoT Edge says, and trusts the bundle that it gives', async () => {
  const uplink = makeUplink();
  uplink.start();
  await eventually(() => uplink.state().connected);
  await uplink.send(message('a'));
  expect(hub.events()[0]).toMatchObject({ deviceId: 'device', moduleId: 'holdfast' });
});

test('telemetry has an output of its own, so that a route can lead it without what rules send', async () => {
  const uplink = makeUplink();
  uplink.start();
  await eventually(() => uplink.state().connected);
  await uplink.send(message('a'));
  await uplink.send(message('b'), 'control');
  const named = makeUplink({ output: 'readings' });
  await uplink.stop();
  named.start();
  await eventually(() => named.state().connected);
  await named.send(message('c'));
  expect(hub.events().map(({ system }) => system.outputName)).toEqual(['telemetry', 'control', 'readings']);
});

test('a workload API that does not answer is given up in time, said so, and tried again', async () => {
  await hub.setFaults({ silent: ['workload'] });
  const uplink = makeUplink();
  uplink.start();
  await eventually(() => /getting an identity|workload API/.test(uplink.state().diagnosis ?? ''));
  await hub.clearFaults();
  await eventually(() => uplink.state().connected);
});

test('without IoT Edge the operator reads what is missing', async () => {
  delete process.env.IOTEDGE_WORKLOADURI;
  const uplink = makeUplink();
  uplink.start();
  await eventually(() => /IOTEDGE_WORKLOADURI not set/.test(uplink.state().diagnosis ?? ''));
});

test('a workload API that is gone when a token must be renewed costs neither the process nor a message', async () => {
  const uplink = makeUplink({ token: { validSeconds: 6, renewBeforeSeconds: 4 } });
  uplink.start();
  await eventually(() => uplink.state().connected);
  await hub.setFaults({ silent: ['workload'] });
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  await uplink.send(message('while it is gone'));
  await hub.clearFaults();
  for (let i = 0; i < 8; i++) {
    await eventually(() => uplink.state().connected);
    await uplink.send(message(`after${i}`)).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await eventually(() => uplink.state().connected);
  await uplink.send(message('last'));
  expect(hub.events().map(({ system }) => system.messageId)).toContain('last');
});

test('messages for the inputs come once they are taken, and again when they are not', async () => {
  const uplink = makeUplink();
  const taken: InputMessage[] = [];
  let refusals = 1;
  uplink.handleInputs(async (input) => {
    if (refusals-- > 0) throw new Error('not now');
    taken.push(input);
  });
  uplink.start();
  await eventually(() => uplink.state().connected);
  const send = () =>
    hub.deliver('device', 'holdfast', { body: Buffer.from('{"t":1}'), input: 'plc', properties: { a: 'b' } });
  expect(send()).toBe(true);
  await eventually(() => refusals < 1);
  send();
  await eventually(() => taken.length > 0);
  expect(taken[0]).toMatchObject({ input: 'plc', properties: { a: 'b' } });
  expect(Buffer.from(taken[0]!.body).toString()).toBe('{"t":1}');
  hub.drop(['device']);
  await eventually(() => !uplink.state().connected);
  await eventually(() => uplink.state().connected);
  const count = taken.length;
  send();
  await eventually(() => taken.length > count);
});
