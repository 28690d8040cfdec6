// The effect of each fault on the unmodified device client.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { ModuleClient } from 'azure-iot-device';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { FaultPatch } from './faults.ts';
import { type Hub, startHub } from './hub.ts';
import {
  deviceId,
  eventually,
  moduleClient,
  moduleId,
  openModule,
  sendOutcome,
  telemetry,
} from './testing/clients.ts';

let hub: Hub;
const opened: ModuleClient[] = [];

/** A new client, forgotten rather than closed: a client in trouble takes up to 45 s to close. */
async function open(): Promise<ModuleClient> {
  const client = await openModule(hub);
  opened.push(client);
  return client;
}

async function openOutcome(limitMs = 400): Promise<string> {
  const client = await moduleClient(hub);
  opened.push(client);
  const limit = new Promise<string>((resolve) => setTimeout(() => resolve('pending'), limitMs));
  const attempt = client.open().then(
    () => 'open',
    (error: Error) => error.name,
  );
  return Promise.race([attempt, limit]);
}

const stored = () => hub.state().events.stored;
const bodiesFrom = (ordinal: number) => hub.events(ordinal, 1000).map((event) => event.body.toString());
/** Sends and says how it ended and how many copies came to be stored. */
async function send(client: ModuleClient, properties = {}): Promise<[outcome: string, copies: number]> {
  const before = stored();
  const outcome = await sendOutcome(client, telemetry('{}', properties));
  return [outcome, stored() - before];
}

beforeAll(async () => {
  hub = await startHub({ random: seededRandom(7) });
});
afterEach(async () => {
  await hub.clearFaults();
  hub.drop();
  for (const client of opened.splice(0)) client.close().catch(() => {});
});
afterAll(() => hub.stop());

describe('telemetry', () => {
  test.each<[string, FaultPatch, [string, number]]>([
    ['acknowledged and lost', { ackAndLose: { next: 1 } }, ['ok', 0]],
    ['stored twice', { duplicate: { next: 1 } }, ['ok', 2]],
    ['released: a false success', { released: { next: 1 } }, ['nothing', 0]],
    ['modified: a false success', { modified: { next: 1 } }, ['nothing', 0]],
    ['rejected without a reason: a false success', { rejected: { next: 1 } }, ['nothing', 0]],
    [
      'rejected with a reason',
      { rejected: { next: 1 }, rejectCondition: 'amqp:internal-error' },
      ['InternalServerError', 0],
    ],
    ['throttled', { throttle: true }, ['ThrottlingError', 0]],
    ['over quota', { quota: true }, ['IotHubQuotaExceededError', 0]],
    ['never settled', { neverSettle: true }, ['pending', 0]],
    ['stored and never settled', { neverSettle: 'store' }, ['pending', 1]],
  ])('%s', async (_, faults, seen) => {
    const client = await open();
    await hub.setFaults(faults);
    expect(await send(client)).toEqual(seen);
    await hub.clearFaults();
    expect(await send(client)).toEqual(['ok', 1]);
  });

  test('that is lost on demand is remembered with its stream', async () => {
    const client = await open();
    await hub.setFaults({ ackAndLose: { next: 2, batchId: 'press' } });
    for (const batchId of ['boiler', 'press', 'press', 'press'])
      await client.sendEvent(telemetry('{}', { batchId }));
    expect(
      hub
        .lost()
        .slice(-2)
        .map((message) => message.properties.batchId),
    ).toEqual(['press', 'press']);
    expect(
      hub
        .events(0, 1000)
        .slice(-2)
        .map((event) => event.properties.batchId),
    ).toEqual(['boiler', 'press']);
  });

  test('is delayed, in order', async () => {
    const client = await open();
    await hub.setFaults({ delayMs: 60 });
    const [start, from] = [performance.now(), stored()];
    await Promise.all(['a', 'b', 'c'].map((body) => client.sendEvent(telemetry(body))));
    expect(performance.now() - start).toBeGreaterThan(58);
    expect(bodiesFrom(from)).toEqual(['a', 'b', 'c']);
  });

  test('is reordered: all of it is stored, once, in another order', async () => {
    const client = await open();
    await hub.setFaults({ reorder: true });
    const from = stored();
    const sent = Array.from({ length: 40 }, (_, n) => String(n));
    await Promise.all(sent.map((body) => client.sendEvent(telemetry(body))));
    await hub.setFaults({ reorder: null });
    expect(bodiesFrom(from)).not.toEqual(sent);
    expect(bodiesFrom(from).sort((a, b) => Number(a) - Number(b))).toEqual(sent);
  });

  test('cut before it is settled is stored all the same, if wanted', async () => {
    const client = await open();
    const disconnected = once(client as never, 'disconnect');
    await hub.setFaults({ cutOnTelemetry: { next: 1 }, cutAfterStore: true });
    const [outcome, copies] = await send(client);
    expect(copies).toBe(1);
    expect(outcome).not.toBe('ok');
    await disconnected;
    expect(await send(await open())).toEqual(['ok', 1]);
  });
});

describe('connections', () => {
  test('are refused while those that are open live on', async () => {
    const client = await open();
    await hub.setFaults({ refuse: ['device'] });
    expect(await send(client)).toEqual(['ok', 1]);
    const socket = connect(hub.amqpsPort, '127.0.0.1');
    const [error] = await once(socket, 'error');
    expect(error.code).toBe('ECONNREFUSED');
    expect(await openOutcome()).toBe('NotConnectedError');
    await hub.setFaults({ refuse: null });
    expect(await openOutcome()).toBe('open');
  });

  test('stalled hang, open and new, and go on when thawed', async () => {
    const client = await open();
    await hub.setFaults({ stall: ['device'] });
    const before = stored();
    const sent = client.sendEvent(telemetry('thawed'));
    expect(
      await Promise.race([sent, new Promise((resolve) => setTimeout(() => resolve('pending'), 200))]),
    ).toBe('pending');
    expect(stored()).toBe(before);
    // Another identity: the same one would cut the first when it gets through.
    const other = await moduleClient(hub, hub.deviceConnectionString(deviceId, 'other'));
    opened.push(other);
    const opening = other.open();
    await eventually(() => hub.state().connections.device === 2);
    await hub.setFaults({ stall: null });
    expect(await sent).toBeTruthy();
    expect(bodiesFrom(before)).toEqual(['thawed']);
    await opening;
  });

  test('dropped are noticed, and a new client comes in', async () => {
    const client = await open();
    const disconnected = once(client as never, 'disconnect');
    expect(hub.drop(['device'])).toBe(1);
    await disconnected;
    await eventually(() => hub.state().connections.device === 0 && hub.state().connected.length === 0);
    expect(await send(await open())).toEqual(['ok', 1]);
  });

  test('closed by AMQP leave the client stuck, and a new client comes in', async () => {
    const client = await open();
    expect(hub.close(['device'])).toBe(1);
    expect(await sendOutcome(client, telemetry('{}'))).not.toBe('ok');
    expect(await send(await open())).toEqual(['ok', 1]);
  });

  test('cut or left alone during put-token never open', async () => {
    await hub.setFaults({ silent: ['cbs'] });
    expect(await openOutcome()).toBe('pending');
    await hub.setFaults({ silent: null, cutOn: ['cbs'] });
    expect(await openOutcome()).not.toBe('open');
    await hub.setFaults({ cutOn: null, cbsStatus: 401 });
    expect(await openOutcome()).toBe('UnauthorizedError');
  });
});

describe('a restart', () => {
  test('takes the hub away for a time, on the same port, with what it had stored', async () => {
    const [client, port, before] = [await open(), hub.amqpsPort, stored()];
    await client.sendEvent(telemetry('kept'));
    const back = hub.restart({ downMs: 150 });
    await eventually(() => hub.state().connections.device === 0);
    await hub.setFaults({ delayMs: 1 });
    expect(await openOutcome()).toBe('NotConnectedError');
    await back;
    expect(hub.amqpsPort).toBe(port);
    expect(bodiesFrom(before)).toEqual(['kept']);
    expect(await openOutcome()).toBe('open');
  });

  test('with a certificate that the client cannot accept keeps it out', async () => {
    const trusting = await moduleClient(hub);
    opened.push(trusting);
    await hub.restart({ certificate: 'new-ca' });
    await expect(trusting.open()).rejects.toMatchObject({ name: 'NotConnectedError' });
    expect(await openOutcome()).toBe('open');
    for (const certificate of ['expired', 'wrong-name'] as const) {
      await hub.restart({ certificate });
      expect(await openOutcome()).toBe('NotConnectedError');
    }
    await hub.restart({ certificate: 'renewed' });
    expect(await openOutcome()).toBe('open');
  });
});

describe('requests', () => {
  test('for the twin get no answer, or a bad one', async () => {
    const client = await open();
    await client.getTwin();
    await hub.setFaults({ twinStatus: 429 });
    await expect(client.getTwin()).rejects.toMatchObject({ amqpError: { name: 'ThrottlingError' } });
    await hub.setFaults({ twinStatus: null, silent: ['twin'] });
    const pending = new Promise((resolve) => setTimeout(() => resolve('pending'), 200));
    expect(await Promise.race([client.getTwin(), pending])).toBe('pending');
  });

  test('for the twin on a connection that is cut are never answered', async () => {
    const client = await open();
    const disconnected = once(client as never, 'disconnect');
    await client.getTwin();
    await hub.setFaults({ cutOn: ['twin'] });
    const answer = client.getTwin().then(
      () => 'twin',
      (error: Error) => error.name,
    );
    await disconnected;
    const pending = new Promise<string>((resolve) => setTimeout(() => resolve('pending'), 200));
    expect(await Promise.race([answer, pending])).toBe('pending');
  });

  test('of a method: not delivered, or answered in vain', async () => {
    const client = await open();
    let calls = 0;
    client.onMethod('count', (_, response) => {
      calls++;
      response!.send(200);
    });
    const invoke = (responseTimeoutMs: number) =>
      hub.invoke({
        deviceId,
        moduleId,
        name: 'count',
        payload: 0,
        responseTimeoutMs,
        connectTimeoutMs: 2000,
      });
    expect(await invoke(2000)).toMatchObject({ kind: 'answered' });
    await hub.setFaults({ loseMethodReplies: { next: 1 } });
    expect([await invoke(150), calls]).toEqual([{ kind: 'timeout' }, 2]);
    await hub.setFaults({ silent: ['methods'] });
    expect([await invoke(150), calls]).toEqual([{ kind: 'timeout' }, 2]);
  });
});
