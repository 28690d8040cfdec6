// The real uplink against the stand-in hub: the contract, and every row of the table of failures that the
// client library shows, in which the uplink must recover without a restart.
import { ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { systemRandom } from '../../kernel/random.ts';
import { type Hub, startHub } from '../../lab/hub/hub.ts';
import { createIotEdgeUplink, type EdgeUplink, type EdgeUplinkOptions } from './edge-uplink.ts';
import { message, type UplinkWorld, uplinkContract } from './testing/uplink-contract.ts';
import type { UplinkState } from './uplink.ts';

const spawn = vi.spyOn(ChildProcess.prototype as unknown as { spawn(options: unknown): void }, 'spawn');

const [deviceId, moduleId] = ['device', 'holdfast'];

const limits = {
  connectTimeoutMs: 1_500,
  twinTimeoutMs: 1_500,
  sendTimeoutMs: 1_000,
  reconnectMinMs: 50,
  reconnectMaxMs: 300,
  attemptBurst: 100,
  refusedMinMs: 50,
  refusedMaxMs: 300,
  reportIntervalMs: 50,
  diagnoseIntervalMs: 200,
};

interface Bench {
  readonly hub: Hub;
  readonly uplink: EdgeUplink;
  readonly lines: string[];
  end(): Promise<void>;
}

async function bench(options: Partial<EdgeUplinkOptions> = {}): Promise<Bench> {
  const hub = await startHub();
  const lines: string[] = [];
  const uplink = createIotEdgeUplink({
    identity: { kind: 'connection-string', connectionString: hub.deviceConnectionString(deviceId, moduleId) },
    caFile: hub.caFile,
    limits,
    clock: systemClock,
    random: systemRandom,
    log: lineLog(lines),
    metrics: noMetrics,
    ...options,
  });
  return {
    hub,
    uplink,
    lines,
    async end() {
      await uplink.stop();
      await hub.stop();
    },
  };
}

function lineLog(lines: string[]): Log {
  const write = (fields: object, text: string) => lines.push(`${text} ${JSON.stringify(fields)}`);
  const log: Log = { debug() {}, info: write, warn: write, error: write, child: () => log };
  return log;
}

async function eventually(check: () => boolean, limitMs = 60_000): Promise<void> {
  for (const until = Date.now() + limitMs; !check(); ) {
    if (Date.now() > until) throw new Error(`not within ${limitMs} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function call(hub: Hub, name: string, payload?: unknown) {
  const result = await hub.invoke({
    deviceId,
    moduleId,
    name,
    payload,
    responseTimeoutMs: 3_000,
    connectTimeoutMs: 0,
  });
  if (result.kind !== 'answered') throw new Error(`no answer: ${result.kind}`);
  return { status: result.status, body: result.payload };
}

function worldOf({ hub, uplink, end }: Bench): UplinkWorld {
  return {
    uplink,
    received: () =>
      hub.events().map(({ system, properties, body }) => ({
        messageId: system.messageId,
        contentEncoding: system.contentEncoding,
        properties,
        body,
      })),
    async cut() {
      await hub.setFaults({ refuse: ['device', 'service'], neverSettle: null });
      hub.drop();
    },
    async heal() {
      await hub.clearFaults();
    },
    async giveBackNext(count) {
      await hub.setFaults({ released: { next: count } });
    },
    async hold() {
      await hub.setFaults({ neverSettle: true });
    },
    call: (name, payload) => call(hub, name, payload),
    reported: () => hub.twin(deviceId, moduleId).reported,
    eventually: (check) => eventually(check),
    end,
  };
}

uplinkContract('IoT Edge over AMQP', async () => worldOf(await bench()));

uplinkContract('IoT Edge over AMQP in WebSockets', async () => {
  const hub = await startHub();
  const connectionString = hub
    .deviceConnectionString(deviceId, moduleId)
    .replace(`:${hub.amqpsPort}`, `:${hub.httpsPort}`);
  const made = await bench({
    identity: { kind: 'connection-string', connectionString },
    caFile: hub.caFile,
    transport: 'amqp-ws',
  });
  await made.hub.stop();
  return worldOf({
    ...made,
    hub,
    end: async () => {
      await made.uplink.stop();
      await hub.stop();
    },
  });
});

describe('failures of the client library, met', () => {
  let hub: Hub;
  let uplink: EdgeUplink;
  let states: UplinkState[];
  let lines: string[];
  let end: () => Promise<void>;

  beforeEach(async () => {
    ({ hub, uplink, lines, end } = await bench());
    states = [];
    uplink.onState((state) => states.push(state));
    uplink.handleMethod('ping', async () => ({ status: 200, body: 'pong' }));
    uplink.start();
    await eventually(() => uplink.state().connected);
  });
  afterEach(() => end());

  /** Everything works, on whatever connection there is now. */
  async function expectSound(id = 'sound'): Promise<void> {
    for (const until = Date.now() + 10_000; ; ) {
      try {
        await eventually(() => uplink.state().connected);
        await uplink.send(message(id));
        break;
      } catch (error) {
        if (Date.now() > until) throw error;
      }
    }
    expect(await call(hub, 'ping')).toEqual({ status: 200, body: 'pong' });
    const seen: unknown[] = [];
    const stop = uplink.onDesired((desired) => seen.push(desired.mark));
    hub.setDesired(deviceId, moduleId, { mark: id });
    await eventually(() => seen.includes(id));
    stop();
    uplink.report({ mark: id });
    await eventually(() => hub.twin(deviceId, moduleId).reported.mark === id);
  }

  const retryable = expect.objectContaining({ retryable: true });

  test('no connection of this file has started a process, which would wait for a disk that hangs', () => {
    expect(spawn).not.toHaveBeenCalled();
  });

  test('the server is gone for a while: sends reject, nothing is resent by a dead client', async () => {
    await hub.setFaults({ neverSettle: true });
    const inFlight = Array.from({ length: 20 }, (_, i) => uplink.send(message(`lost${i}`)));
    const settled = Promise.allSettled(inFlight);
    await hub.setFaults({ refuse: ['device'], neverSettle: null });
    hub.drop(['device']);
    for (const result of await settled)
      expect(result).toMatchObject({ status: 'rejected', reason: retryable });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(uplink.state()).toMatchObject({ connected: false });
    await hub.clearFaults();
    await expectSound();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(hub.events().map(({ system }) => system.messageId)).toEqual(['sound']);
  });

  test('the server never settles: the send is given up in time, and the next connection works', async () => {
    await hub.setFaults({ neverSettle: true });
    await expect(uplink.send(message('held'))).rejects.toMatchObject({
      code: 'uplink-timeout',
      retryable: true,
    });
    await hub.clearFaults();
    await expectSound();
  });

  test('one message is never settled while later ones are', async () => {
    await hub.setFaults({ modified: { next: 1 } });
    const stuck = uplink.send(message('stuck'));
    const outcome = Promise.race([
      stuck.then(
        () => 'sent',
        () => 'rejected',
      ),
      new Promise((resolve) => setTimeout(() => resolve('pending'), 8_000)),
    ]);
    for (let i = 0; i < 10 && uplink.state().connected; i++) {
      await uplink.send(message(`later${i}`)).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(await outcome).toBe('rejected');
    await hub.clearFaults();
    await expectSound();
  });

  test('the server is frozen: the connection is given up in time, and so is the next attempt', async () => {
    await hub.setFaults({ stall: ['device'] });
    await expect(uplink.send(message('frozen'))).rejects.toEqual(retryable);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(uplink.state().connected).toBe(false);
    await hub.clearFaults();
    await expectSound();
  });

  test('the server closes the connection by force', async () => {
    hub.close(['device']);
    await eventually(() => states.some(({ connected }) => !connected), 5_000);
    await expectSound();
  });

  test('the connection is lost while a token is put', async () => {
    await hub.setFaults({ cutOn: ['cbs'] });
    hub.drop(['device']);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await hub.clearFaults();
    await expectSound();
  });

  test('the token is never answered', async () => {
    await hub.setFaults({ silent: ['cbs'] });
    hub.drop(['device']);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(uplink.state().connected).toBe(false);
    await hub.clearFaults();
    await expectSound();
  });

  test('the connection is lost while the twin is read', async () => {
    await hub.setFaults({ cutOn: ['twin'] });
    hub.drop(['device']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await hub.clearFaults();
    await expectSound();
  });

  test('a twin that is never answered keeps no message from being sent', async () => {
    await hub.setFaults({ silent: ['twin'] });
    hub.drop(['device']);
    await eventually(() => states.some(({ connected }) => !connected));
    await eventually(() => uplink.state().connected);
    for (let i = 0; i < 10; i++) {
      await uplink.send(message(`m${i}`));
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    expect(uplink.state().connected).toBe(true);
  });

  for (const fault of ['released', 'rejected'] as const) {
    test(`a message that is ${fault} without an error is no success`, async () => {
      await hub.setFaults({ [fault]: { next: 1 } });
      await expect(uplink.send(message('given back'))).rejects.toEqual(retryable);
      expect(uplink.state().connected).toBe(true);
      await expectSound();
    });
  }

  test('nothing is accepted any more: after some such answers the connection is renewed', async () => {
    await hub.setFaults({ released: true });
    for (let i = 0; i < 10; i++) await expect(uplink.send(message(`m${i}`))).rejects.toEqual(retryable);
    await eventually(() => states.some(({ connected }) => !connected));
    await hub.clearFaults();
    await expectSound();
  });

  test('throttling and a used-up quota are told apart and cost no connection', async () => {
    await hub.setFaults({ throttle: true });
    await expect(uplink.send(message('a'))).rejects.toMatchObject({ code: 'uplink-throttled' });
    await hub.setFaults({ throttle: null, quota: true });
    await expect(uplink.send(message('b'))).rejects.toMatchObject({ code: 'uplink-quota-exceeded' });
    expect(states.filter(({ connected }) => !connected)).toEqual([]);
    await hub.clearFaults();
    await expectSound();
  });

  test('a message that the hub refuses is refused for good only once it was alone', async () => {
    const refuse = { rejected: { next: 1 }, rejectCondition: 'amqp:link:message-size-exceeded' };
    await hub.setFaults(refuse);
    const together = await Promise.allSettled(['a', 'b', 'c'].map((id) => uplink.send(message(id))));
    const failed = together.filter((result) => result.status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed) expect(reason.code).toBe('uplink-message-suspect');
    await expectSound();
    await hub.setFaults(refuse);
    await expect(uplink.send(message('d'))).rejects.toMatchObject({
      code: 'uplink-message-refused',
      retryable: false,
    });
  });

  test('a connection that comes and goes each moment leaves neither sockets nor memory behind', async () => {
    const rounds = async (count: number) => {
      for (let i = 0; i < count; i++) {
        await eventually(() => uplink.state().connected);
        void uplink.send(message(`flap${i}`)).catch(() => {});
        hub.drop(['device']);
        await eventually(() => !uplink.state().connected);
      }
      await eventually(() => uplink.state().connected);
    };
    await rounds(10);
    const before = process.getActiveResourcesInfo().length;
    await rounds(30);
    await eventually(() => hub.state().connections.device === 1);
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before + 5);
    await expectSound();
  });

  test('one line of log for an outage, not one for each attempt', async () => {
    lines.length = 0;
    await hub.setFaults({ refuse: ['device'] });
    hub.drop(['device']);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(lines.length).toBeLessThanOrEqual(3);
    expect(uplink.state().diagnosis).toContain('refuses connections');
    await hub.clearFaults();
    await expectSound();
  });

  test('a new certificate of the same authority changes nothing', async () => {
    await hub.restart({ downMs: 300, certificate: 'renewed' });
    await expectSound();
  });

  test('a new certificate of a new authority is trusted once its file says so', async () => {
    await hub.restart({ downMs: 300, certificate: 'new-ca' });
    await expectSound();
  });

  test('tokens are renewed before they end', async () => {
    const short = createIotEdgeUplink({
      identity: {
        kind: 'connection-string',
        connectionString: hub.deviceConnectionString(deviceId, 'short'),
      },
      caFile: hub.caFile,
      token: { validSeconds: 4, renewBeforeSeconds: 2 },
      limits,
      clock: systemClock,
      random: systemRandom,
      log: lineLog([]),
      metrics: noMetrics,
    });
    const changes: boolean[] = [];
    short.onState(({ connected }) => changes.push(connected));
    short.start();
    await eventually(() => short.state().connected);
    for (let i = 0; i < 10; i++) {
      await short.send(message(`t${i}`));
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    await short.stop();
    expect(changes).toEqual([true, false]);
  });
});

describe('diagnosis', () => {
  const connectionString = (hub: Hub) => hub.deviceConnectionString(deviceId, moduleId);
  const asks = async (change: (hub: Hub) => Promise<Partial<EdgeUplinkOptions>>, expected: RegExp) => {
    const prepared = await startHub();
    const { uplink, end } = await bench({
      identity: { kind: 'connection-string', connectionString: connectionString(prepared) },
      caFile: prepared.caFile,
      ...(await change(prepared)),
    });
    uplink.start();
    try {
      await eventually(() => expected.test(uplink.state().diagnosis ?? ''), 10_000).catch(() => {});
      expect(uplink.state().diagnosis).toMatch(expected);
      expect(uplink.state().diagnosis).not.toContain('SharedAccessKey');
    } finally {
      await end();
      await prepared.stop();
    }
  };

  test('an unknown name', () =>
    asks(
      async (hub) => ({
        identity: {
          kind: 'connection-string',
          connectionString: connectionString(hub).replace(
            'GatewayHostName=localhost',
            'GatewayHostName=nobody.invalid',
          ),
        },
      }),
      /the name nobody\.invalid is not found/,
    ));

  test('a port where nobody listens', () =>
    asks(
      async (hub) => ({
        identity: {
          kind: 'connection-string',
          connectionString: connectionString(hub).replace(`:${hub.amqpsPort}`, ':1'),
        },
      }),
      /localhost:1 .* refuses connections/,
    ));

  test('an authority that is not trusted', () =>
    asks(async () => {
      const other = await startHub();
      const { readFileSync, writeFileSync, mkdtempSync } = await import('node:fs');
      const folder = mkdtempSync('/tmp/holdfast-ca-');
      writeFileSync(`${folder}/other.pem`, readFileSync(other.caFile));
      await other.stop();
      return { caFile: `${folder}/other.pem` };
    }, /not signed by an authority that this machine trusts/));

  test('a certificate for another name', () =>
    asks(async (hub) => {
      await hub.restart({ certificate: 'wrong-name' });
      return {};
    }, /is for other names .*, not for localhost/));

  test('a certificate that has expired', () =>
    asks(async (hub) => {
      await hub.restart({ certificate: 'expired' });
      return {};
    }, /expired on .* this machine's clock says/));

  test('a wrong key', () =>
    asks(
      async (hub) => ({
        identity: {
          kind: 'connection-string',
          connectionString: connectionString(hub).replace(
            /SharedAccessKey=.*/,
            `SharedAccessKey=${Buffer.from('wrong').toString('base64')}`,
          ),
        },
      }),
      /refuses this module's identity or token/,
    ));

  test('a file of authorities that is not there', () =>
    asks(
      async () => ({ caFile: '/nowhere/ca.pem' }),
      /cannot read the file of authorities \/nowhere\/ca\.pem/,
    ));

  test('a text that is no connection string', () =>
    asks(
      async () => ({ identity: { kind: 'connection-string', connectionString: 'HostName=x;DeviceId=y' } }),
      /the connection string is not one of a module/,
    ));
});
