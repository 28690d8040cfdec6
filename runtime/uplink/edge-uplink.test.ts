import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { settle, VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { createIotEdgeUplink, defaultUplinkLimits } from './edge-uplink.ts';
import { type FakeClientScript, fakeEdgeClients, never } from './testing/fake-edge-client.ts';
import { message } from './testing/uplink-contract.ts';

const tooLarge = Object.assign(new Error('too large'), { name: 'MessageTooLargeError' });
const unauthorized = Object.assign(new Error('no'), { name: 'UnauthorizedError' });

function bench(script: FakeClientScript = {}) {
  const clock = new VirtualClock();
  const counted = new Map<string, number>();
  const network = { reach: async () => true, looks: 0 };
  const { make, clients } = fakeEdgeClients(script);
  const uplink = createIotEdgeUplink({
    identity: { kind: 'iot-edge' },
    makeClient: make,
    diagnose: async (_, failure) => `looked: ${(failure as Error).message}`,
    reach: () => {
      network.looks++;
      return network.reach();
    },
    clock,
    random: seededRandom(5),
    log: silentLog,
    metrics: { ...noMetrics, count: (name) => counted.set(name, (counted.get(name) ?? 0) + 1) },
  });
  const latest = () => clients.at(-1)!;
  return { counted, clock, clients, uplink, script, latest, network };
}

async function connected(script: FakeClientScript = {}) {
  const made = bench(script);
  made.uplink.start();
  await made.clock.advance(1);
  expect(made.uplink.state().connected).toBe(true);
  return made;
}

describe('connecting', () => {
  test('a failed attempt is repeated with growing pauses, each client discarded before the next is made', async () => {
    const { clock, clients, uplink, counted } = bench({
      open: async () => {
        throw new Error('refused');
      },
    });
    uplink.start();
    await clock.advance(10_000);
    const early = clients.length;
    expect(early).toBeGreaterThan(3);
    expect(early).toBeLessThan(10);
    await clock.advance(3_600_000);
    const perHour = clients.length - early;
    expect(perHour).toBeGreaterThanOrEqual(3_600_000 / defaultUplinkLimits.reconnectMaxMs);
    expect(perHour).toBeLessThanOrEqual((2 * 3_600_000) / defaultUplinkLimits.reconnectMaxMs + 1);
    expect(clients.every(({ discarded }) => discarded)).toBe(true);
    expect(uplink.state()).toMatchObject({ connected: false, diagnosis: 'looked: refused' });
    expect(counted.get('holdfast_uplink_connects_total')).toBeUndefined();
  });

  test('what is counted as a connection is one', async () => {
    const { clock, counted, latest } = await connected();
    expect(counted.get('holdfast_uplink_connects_total')).toBe(1);
    latest().events.lost(new Error('gone'));
    await clock.advance(20_000);
    expect(counted.get('holdfast_uplink_connects_total')).toBe(2);
  });

  test('a hub that refuses the identity is asked more rarely', async () => {
    const { clock, clients, uplink } = bench({
      open: async () => {
        throw unauthorized;
      },
    });
    uplink.start();
    await clock.advance(3_600_000);
    expect(clients.length).toBeLessThan(80);
    expect(clients.length).toBeGreaterThan(25);
  });

  for (const step of ['make', 'open', 'serveMethods'] as const) {
    test(`an attempt that hangs at ${step} is given up in time`, async () => {
      const { clock, clients, uplink, script } = bench({ [step]: () => never });
      uplink.start();
      await clock.advance(defaultUplinkLimits.connectTimeoutMs + 1_500);
      expect(clients.length).toBe(2);
      if (step !== 'make') expect(clients[0]?.discarded).toBe(true);
      script[step] = async () => {};
      await clock.advance(defaultUplinkLimits.connectTimeoutMs + 3_000);
      expect(uplink.state().connected).toBe(true);
    });
  }

  test('a client that comes too late is discarded, never used', async () => {
    let finish = () => {};
    const late = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { clock, clients, uplink, script } = bench({ make: () => late });
    uplink.start();
    await clock.advance(defaultUplinkLimits.connectTimeoutMs + 1);
    script.make = async () => {};
    await clock.advance(2_000);
    finish();
    await settle();
    expect(clients.map(({ discarded }) => discarded)).toEqual([true, false]);
    expect(clients[0]?.opened).toBe(false);
    expect(uplink.state().connected).toBe(true);
  });

  test('after a connection that carried nothing the pauses go on growing, after a long one they begin anew', async () => {
    const { clock, clients, latest } = await connected();
    for (let i = 0; i < 6; i++) {
      latest().events.lost(new Error('gone'));
      await clock.advance(i < 2 ? 2_000 : 9_900);
    }
    const flapping = clients.length;
    expect(flapping).toBeLessThanOrEqual(7);
    await clock.advance(60_000);
    latest().events.lost(new Error('gone'));
    await clock.advance(defaultUplinkLimits.reconnectMinMs + 1);
    expect(clients.length).toBe(flapping + 1);
  });

  test('a connection that carried a message is made anew at once, however short it was', async () => {
    const { clock, clients, uplink, latest } = await connected();
    for (let i = 0; i < 6; i++) {
      await uplink.send(message(`${i}`));
      latest().events.lost(new Error('gone'));
      await clock.advance(defaultUplinkLimits.reconnectMinMs + 1);
      expect(clients.length).toBe(i + 2);
      expect(uplink.state().connected).toBe(true);
      await clock.advance(5_000);
    }
  });

  test('a hub that closes every connection is not hammered, though each of them carries data', async () => {
    const { clock, clients, uplink, latest } = await connected();
    const minutes = 10;
    for (let second = 0; second < minutes * 60; second++) {
      if (uplink.state().connected) {
        await uplink.send(message(`${second}`));
        latest().events.lost(new Error('closed by force'));
      }
      await clock.advance(1_000);
    }
    const { attemptBurst, attemptEveryMs } = defaultUplinkLimits;
    expect(clients.length).toBeLessThanOrEqual(attemptBurst + (minutes * 60_000) / attemptEveryMs + 1);
    expect(clients.length).toBeGreaterThan(minutes * 6);
    // When it stops, the next connection is a matter of seconds, too.
    await clock.advance(attemptEveryMs + 1_000);
    expect(uplink.state().connected).toBe(true);
  });
});

describe('the network returns', () => {
  const seconds = 3;
  const fail = () => Promise.reject(new Error('refused'));

  /** As the kernel connects while packets vanish: it repeats its first packet, at growing intervals. */
  const knock = (clock: VirtualClock, isUp: () => boolean) => () =>
    new Promise<void>((resolve) => {
      for (const at of [0, 1, 3, 7, 15, 31]) clock.setTimer(at * 1000, () => isUp() && resolve());
    });

  for (const how of ['packets vanish', 'connections are refused'] as const) {
    test(`after an outage of any length in which ${how}, the connection is back within ${seconds} s`, async () => {
      for (const outageMs of [5_000, 33_000, 47_300, 61_500, 600_000, 3_601_000]) {
        const { clock, clients, uplink, script, latest, network } = await connected();
        let isUp = false;
        const vanishes = how === 'packets vanish';
        network.reach = async () => (isUp || !vanishes ? isUp : clockOut(clock, 3_000));
        script.open = () => (vanishes ? knock(clock, () => isUp)() : isUp ? Promise.resolve() : fail());
        latest().events.lost(new Error('gone'));
        await clock.advance(outageMs);
        expect(uplink.state().connected).toBe(false);
        isUp = true;
        // A look that began before ends in vain.
        await clock.advance((vanishes ? 3_000 : 0) + seconds * 1000);
        expect(uplink.state().connected).toBe(true);
        expect(clients.filter(({ discarded }) => !discarded)).toHaveLength(1);
        await uplink.stop();
        await clock.advance(31_000);
        expect(clock.pendingTimers).toBe(0);
      }
    });
  }

  test('an attempt that began after the return is left alone', async () => {
    const { clock, clients, uplink, script, latest, network } = await connected();
    network.reach = async () => false;
    script.open = fail;
    latest().events.lost(new Error('gone'));
    await clock.advance(30_000);
    // It takes its time, on a slow link.
    script.open = () => new Promise((resolve) => clock.setTimer(8_000, () => resolve()));
    const before = clients.length;
    while (clients.length === before) await clock.advance(50);
    network.reach = async () => true;
    await clock.advance(8_000);
    expect(uplink.state().connected).toBe(true);
    expect(clients.length).toBe(before + 1);
  });

  test('a name server that hangs is never asked twice at a time', async () => {
    const { clock, script, uplink, latest, network } = await connected();
    network.reach = () => never;
    for (let outage = 0; outage < 3; outage++) {
      script.open = fail;
      latest().events.lost(new Error('gone'));
      await clock.advance(60_000);
      script.open = async () => {};
      await clock.advance(20_000);
      expect(uplink.state().connected).toBe(true);
    }
    expect(network.looks).toBe(1);
  });

  test('looks are rare where the port is open and the trouble is another, and none while connected', async () => {
    const { clock, script, latest, network } = await connected();
    await clock.advance(600_000);
    expect(network.looks).toBe(0);
    script.open = () => Promise.reject(new Error('the certificate has expired'));
    latest().events.lost(new Error('gone'));
    await clock.advance(600_000);
    expect(network.looks).toBeGreaterThan(50);
    expect(network.looks).toBeLessThan(125);
  });

  test('a link that comes and goes each second cannot make it hammer the hub', async () => {
    const { clock, clients, script, latest, network } = await connected();
    let isUp = true;
    network.reach = async () => isUp;
    script.open = () => (isUp ? Promise.resolve() : fail());
    const minutes = 10;
    for (let second = 0; second < minutes * 60; second++) {
      isUp = second % 2 === 1;
      if (!isUp) latest().events.lost(new Error('gone'));
      await clock.advance(1_000);
    }
    const { attemptBurst, attemptEveryMs } = defaultUplinkLimits;
    expect(clients.length).toBeLessThanOrEqual(attemptBurst + (minutes * 60_000) / attemptEveryMs + 1);
  });
});

function clockOut(clock: VirtualClock, ms: number): Promise<boolean> {
  return new Promise((resolve) => clock.setTimer(ms, () => resolve(false)));
}

describe('doubt', () => {
  test('a loss that is told many times makes one new client', async () => {
    const { clock, clients, latest } = await connected();
    const first = latest();
    for (let i = 0; i < 5; i++) first.events.lost(new Error(`gone ${i}`));
    await clock.advance(5_000);
    expect(clients.length).toBe(2);
    first.events.lost(new Error('an echo of the old client'));
    await clock.advance(5_000);
    expect(clients.length).toBe(2);
  });

  test('sends that never settle end the connection and reject', async () => {
    const { clock, clients, uplink, script } = await connected({ send: () => never });
    const sends = Promise.allSettled([uplink.send(message('a')), uplink.send(message('b'))]);
    await clock.advance(defaultUplinkLimits.sendTimeoutMs * 1.3);
    for (const result of await sends) {
      expect(result).toMatchObject({ reason: { code: 'uplink-timeout', retryable: true } });
    }
    script.send = async () => true;
    await clock.advance(2_000);
    expect(clients.map(({ discarded }) => discarded)).toEqual([true, false]);
    await uplink.send(message('c'));
  });

  test('a hub that never settles is found well within seconds, however long it did not', async () => {
    for (const outageMs of [40_000, 61_000, 600_000]) {
      const { clock, uplink, script } = await connected({ send: () => never });
      let isCurrent = false;
      // As the forwarder does: one message at a time asks whether the connection carries.
      const ask = async () => {
        while (!isCurrent) {
          isCurrent = await uplink.send(message('a')).then(
            () => true,
            () => false,
          );
          await new Promise<void>((resolve) => clock.setTimer(50, resolve));
        }
      };
      void ask();
      await clock.advance(outageMs);
      script.send = async () => true;
      await clock.advance(10_500);
      expect(isCurrent).toBe(true);
    }
  });

  test('an answer that comes after the connection was given up changes nothing', async () => {
    let accept = (_: boolean) => {};
    const { clock, uplink, latest } = await connected({
      send: () =>
        new Promise<boolean>((resolve) => {
          accept = resolve;
        }),
    });
    const send = expect(uplink.send(message('a'))).rejects.toMatchObject({ retryable: true });
    latest().events.lost(new Error('gone'));
    await send;
    accept(true);
    await clock.advance(5_000);
    expect(uplink.state().connected).toBe(true);
  });

  test('a message too large for the hub ends the link: alone it is refused, in company suspect', async () => {
    const { clock, uplink, latest, script } = await connected({ send: () => never });
    const lonely = uplink.send(message('a')).catch((error: unknown) => error);
    latest().events.lost(tooLarge);
    expect(await lonely).toMatchObject({ code: 'uplink-message-refused', retryable: false });
    await clock.advance(2_000);
    const both = ['b', 'c'].map((id) => uplink.send(message(id)).catch((error: unknown) => error));
    latest().events.lost(tooLarge);
    for (const error of await Promise.all(both)) {
      expect(error).toMatchObject({ code: 'uplink-message-suspect', retryable: true });
    }
    await clock.advance(2_000);
    let fail = (_: Error) => {};
    script.send = () =>
      new Promise((_, reject) => {
        fail = reject;
      });
    const first = uplink.send(message('d')).catch((error: unknown) => error);
    const failFirst = fail;
    script.send = async () => true;
    await uplink.send(message('e'));
    failFirst(tooLarge);
    expect(await first).toMatchObject({ code: 'uplink-message-suspect' });
  });

  test('whatever happens, one client at most is alive, and every other one is discarded', async () => {
    const step = fc.constantFrom('lose', 'hang', 'work', 'refuse', 'send', 'wait');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, clients, uplink, script } = bench();
        uplink.start();
        for (const what of steps) {
          if (what === 'lose') clients.at(-1)?.events.lost(new Error('gone'));
          if (what === 'hang') script.open = () => never;
          if (what === 'work') script.open = async () => {};
          if (what === 'refuse') script.open = () => Promise.reject(new Error('no'));
          if (what === 'send') void uplink.send(message('x')).catch(() => {});
          await clock.advance(what === 'wait' ? 40_000 : 400);
          expect(clients.filter(({ discarded }) => !discarded).length).toBeLessThanOrEqual(1);
        }
        script.open = async () => {};
        await clock.advance(120_000);
        expect(uplink.state().connected).toBe(true);
        const stopped = uplink.stop();
        await clock.advance(5_000);
        await stopped;
        expect(clients.every(({ discarded }) => discarded)).toBe(true);
        await clock.advance(60_000);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('twin', () => {
  test('a twin that cannot be read costs no connection, and is tried again', async () => {
    let failures = 3;
    const { clock, clients, uplink } = await connected({
      readDesired: async () => {
        if (failures-- > 0) throw new Error('edgeHub has no twin');
        return { $version: 4, mode: 'fast' };
      },
    });
    const seen: unknown[] = [];
    uplink.onDesired((desired) => seen.push(desired));
    await clock.advance(120_000);
    expect(clients.length).toBe(1);
    expect(seen).toEqual([{ $version: 4, mode: 'fast' }]);
  });

  test('what an earlier process reported is shown before anything of this one is', async () => {
    const order: unknown[] = [];
    const made = bench({
      reported: { mark: 7 },
      report: async (patch) => void order.push(patch),
    });
    made.uplink.onReported((reported) => order.push({ found: reported }));
    made.uplink.report({ mark: 8 });
    made.uplink.start();
    await made.clock.advance(60_000);
    expect(order).toEqual([{ found: { mark: 7 } }, { mark: 8 }]);
  });

  test('one that never works makes a new connection only after some minutes', async () => {
    const { clock, clients, uplink } = await connected({ watchDesired: () => never });
    await clock.advance(60_000);
    expect(clients.length).toBe(1);
    await clock.advance(1_200_000);
    expect(clients.length).toBeGreaterThan(1);
    expect(clients.length).toBeLessThan(10);
    expect(uplink.state().connected).toBe(true);
  });

  test('changes merge, old ones are passed over, and a missed one has the whole read again', async () => {
    let version = 5;
    const { clock, uplink, latest } = await connected({
      readDesired: async () => ({ $version: version, list: [1, 2, 3], keep: { a: 1, b: 2 } }),
    });
    const seen: unknown[] = [];
    uplink.onDesired((desired) => seen.push(desired));
    latest().events.desired({ $version: 5, list: [9] });
    expect(seen).toHaveLength(1);
    latest().events.desired({ $version: 6, list: [1], keep: { a: null } });
    expect(seen[1]).toEqual({ $version: 6, list: [1], keep: { b: 2 } });
    version = 9;
    latest().events.desired({ $version: 8, list: [7] });
    await clock.advance(100);
    expect(seen[2]).toEqual({ $version: 9, list: [1, 2, 3], keep: { a: 1, b: 2 } });
  });

  test('reported properties wait for each other, and what failed goes with the next', async () => {
    let failures = 1;
    const { clock, uplink, latest } = await connected({
      report: async () => {
        if (failures-- > 0) throw new Error('not now');
      },
    });
    uplink.report({ a: 1, list: { x: 1 } });
    await clock.advance(100);
    uplink.report({ a: 2 });
    uplink.report({ list: { y: null } });
    await clock.advance(5_000);
    expect(latest().reports).toEqual([]);
    await clock.advance(defaultUplinkLimits.reportIntervalMs);
    expect(latest().reports).toEqual([{ a: 2, list: { x: 1, y: null } }]);
    for (let i = 0; i < 100; i++) {
      uplink.report({ counter: i });
      await clock.advance(1_000);
    }
    expect(latest().reports.length).toBeLessThanOrEqual(12);
    expect(latest().reports.at(-1)?.counter).toBeGreaterThan(85);
  });

  test('reported properties that are too large are dropped, not sent for ever', async () => {
    const { clock, uplink, latest } = await connected();
    uplink.report({ big: 'x'.repeat(40_000) });
    uplink.report({ small: 1 });
    await clock.advance(20_000);
    expect(latest().reports).toEqual([{ small: 1 }]);
  });
});

describe('methods', () => {
  test('a handler that takes too long is answered for, and too many at once are turned away', async () => {
    const { clock, uplink, latest } = await connected();
    uplink.handleMethod('slow', () => never);
    const calls = Array.from({ length: 20 }, () => latest().events.method('slow', undefined));
    await clock.advance(defaultUplinkLimits.methodTimeoutMs + 1);
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 429)).toHaveLength(4);
    expect(statuses.filter((status) => status === 500)).toHaveLength(16);
  });

  test('an answer beyond the hub’s limit is replaced', async () => {
    const { uplink, latest } = await connected();
    uplink.handleMethod('big', async () => ({ status: 200, body: 'x'.repeat(200_000) }));
    expect((await latest().events.method('big', undefined)).status).toBe(500);
  });
});

describe('stopping', () => {
  test('while an attempt hangs', async () => {
    const { clock, clients, uplink } = bench({ open: () => never });
    uplink.start();
    await clock.advance(100);
    await uplink.stop();
    expect(clients.map(({ discarded }) => discarded)).toEqual([true]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('while the library’s close hangs', async () => {
    const { clock, uplink, latest } = await connected({ close: () => never });
    const stopped = uplink.stop();
    await clock.advance(defaultUplinkLimits.closeMs + 1);
    await stopped;
    expect(latest().discarded).toBe(true);
    expect(uplink.state()).toMatchObject({ connected: false, diagnosis: 'stopped' });
  });

  test('before it was started', async () => {
    await bench().uplink.stop();
  });
});

describe('configured anew', () => {
  test('the present connection ends, another is made, and a step of it has the new limit', async () => {
    const made = await connected();
    const sending = made.uplink.send(message('m1'));
    made.script.send = () => never;
    made.uplink.reconfigure({ transport: 'amqp-ws', sendTimeoutMs: 700 });
    await sending.catch(() => {});
    await made.clock.advance(5_000);
    expect(made.clients).toHaveLength(2);
    expect(made.clients[0]?.discarded).toBe(true);
    expect(made.uplink.state().connected).toBe(true);
    const failed = made.uplink.send(message('m2')).catch((error) => error.code);
    await made.clock.advance(1_500);
    expect(await failed).toBe('uplink-timeout');
  });
});

describe('inputs', () => {
  test('are attached only where somebody takes their messages, also from later on, and reach whoever does now', async () => {
    const { clock, clients, uplink, latest } = await connected();
    expect(latest().receivesInputs).toBe(false);
    const taken: string[] = [];
    uplink.handleInputs(async ({ input }) => void taken.push(`first ${input}`));
    await clock.advance(5000);
    expect(clients).toHaveLength(2);
    expect(latest().receivesInputs).toBe(true);
    const message = { input: 'in', properties: {}, body: new Uint8Array() };
    await latest().events.input(message);
    // A reload that still wants them makes no new connection.
    uplink.handleInputs(async ({ input }) => void taken.push(`second ${input}`));
    await clock.advance(5000);
    expect(clients).toHaveLength(2);
    await latest().events.input(message);
    expect(taken).toEqual(['first in', 'second in']);
    await uplink.stop();
  });
});
