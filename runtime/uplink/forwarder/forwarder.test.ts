import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { settle, VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { LaneName } from '../lanes.ts';
import { createFakeLanes } from '../testing/fake-lanes.ts';
import { createFakeUplink } from '../testing/fake-uplink.ts';
import { createForwarder } from './forwarder.ts';
import type { ForwarderLimits } from './forwarder-api.ts';

const retry = (code: string) => new HoldfastError(code, 'not now', { retryable: true });

async function bench(limits: Partial<ForwarderLimits> = {}, connected = true) {
  const clock = new VirtualClock();
  const uplink = createFakeUplink(() => clock.now());
  const lanes = createFakeLanes(() => clock.now());
  const said: string[] = [];
  const say = (level: string) => (_: object, text: string) => void said.push(`${level} ${text}`);
  const forwarder = createForwarder({
    uplink,
    lanes,
    clock,
    random: seededRandom(3),
    limits,
    log: { ...silentLog, warn: say('warn'), info: say('info') },
    metrics: noMetrics,
  });
  if (connected) uplink.start();
  await settle();
  forwarder.start();
  const sent = () => uplink.received.map(({ messageId }) => Number(messageId.slice(1)));
  const fill = (lane: LaneName, count: number, bytes?: number) =>
    Array.from({ length: count }, () => lanes.add(lane, bytes));
  return { clock, uplink, lanes, forwarder, sent, fill, said };
}

describe('moving', () => {
  test('messages go in order, and leave their lane only once the hub has them', async () => {
    const { clock, lanes, uplink, fill, sent } = await bench();
    uplink.onSend = () => 'hold';
    const ids = fill('live', 10);
    await settle();
    expect(lanes.ids('live')).toEqual(ids);
    expect(lanes.acknowledged).toEqual([]);
    uplink.onSend = () => 'accept';
    uplink.releaseHeld();
    await clock.advance(100);
    expect(sent()).toEqual(ids);
    expect(lanes.acknowledged).toEqual(ids);
    expect(lanes.ids('live')).toEqual([]);
  });

  test('no more is in flight than the bounds allow, in count and in bytes', async () => {
    const { uplink, fill, forwarder } = await bench();
    uplink.onSend = () => 'hold';
    fill('live', 200);
    await settle();
    expect(uplink.inFlight).toBe(64);
    const heavy = await bench({ inFlightBytes: 1_000_000 });
    heavy.uplink.onSend = () => 'hold';
    heavy.fill('live', 50, 200_000);
    await settle();
    expect(heavy.uplink.inFlight).toBe(5);
    expect(heavy.forwarder.state().inFlight).toEqual({ messages: 5, bytes: 1_000_000 });
    expect(forwarder.state().sent.live).toBe(0);
  });

  test('acknowledgements are written together', async () => {
    const { clock, lanes, fill } = await bench();
    fill('live', 500);
    await clock.advance(1000);
    expect(lanes.acknowledged).toHaveLength(500);
    expect(lanes.writes).toBeLessThan(20);
  });

  test('acknowledgements that the disk does not take are written later, and nothing is sent again', async () => {
    const { lanes, fill, clock, sent } = await bench();
    lanes.failing = 2;
    fill('live', 5);
    await clock.advance(5_000);
    expect(lanes.acknowledged).toHaveLength(5);
    expect(sent()).toHaveLength(5);
  });
});

describe('fairness', () => {
  test('live data overtakes a backlog, while backlog and backfill go on', async () => {
    const { clock, lanes, uplink, fill, sent } = await bench();
    // A link that carries one message at a time, 10 a second.
    uplink.onSend = () => 'hold';
    const release = async () => {
      uplink.releaseHeld();
      await clock.advance(100);
    };
    fill('backlog', 3_000, 20_000);
    fill('backfill', 3_000, 20_000);
    await clock.advance(100);
    for (let i = 0; i < 20; i++) await release();
    const live = lanes.add('live', 20_000);
    await settle();
    await release();
    expect(sent()).toContain(live);
    const lanesSent = (lane: LaneName) =>
      uplink.received.filter(({ properties }) => properties.lane === lane).length;
    expect(lanesSent('backlog')).toBeGreaterThan(100);
    expect(lanesSent('backfill')).toBeGreaterThan(50);
  });

  test('live data without end starves nobody', async () => {
    const { clock, lanes, uplink, fill } = await bench({ inFlightMessages: 4, liveMaxAgeMs: 1e9 });
    uplink.onSend = () => 'hold';
    fill('backlog', 500, 50_000);
    fill('backfill', 500, 50_000);
    for (let i = 0; i < 500; i++) {
      for (let n = lanes.ids('live').length; n < 10; n++) lanes.add('live', 50_000);
      uplink.releaseHeld();
      await clock.advance(10);
    }
    const share = (lane: LaneName) =>
      uplink.received.filter(({ properties }) => properties.lane === lane).length / uplink.received.length;
    expect(uplink.received.length).toBeGreaterThan(500);
    expect(share('backlog')).toBeGreaterThan(0.25);
    expect(share('backfill')).toBeGreaterThan(0.1);
    expect(share('live')).toBeGreaterThan(0.4);
  });

  test('a lane of which all is taken does not hold up the others', async () => {
    const { clock, uplink, lanes, fill } = await bench();
    uplink.onSend = ({ properties }) => (properties.lane === 'live' ? 'hold' : 'accept');
    fill('live', 3);
    await settle();
    fill('backlog', 100);
    await clock.advance(100);
    expect(lanes.acknowledged).toHaveLength(100);
  });
});

describe('outages', () => {
  test('what waited through an outage becomes backlog, and what is new goes first', async () => {
    const { clock, lanes, uplink, fill } = await bench({ inFlightMessages: 4 });
    uplink.cut();
    const old = fill('live', 100);
    await clock.advance(60_000);
    expect(uplink.received).toEqual([]);
    uplink.onSend = () => 'hold';
    uplink.heal();
    const fresh = lanes.add('live');
    await settle();
    expect(lanes.ids('backlog')).toEqual(old);
    uplink.onSend = () => 'accept';
    uplink.releaseHeld();
    await settle();
    const order = uplink.received.map(({ messageId }) => messageId);
    expect(order.indexOf(`m${fresh}`)).toBeLessThan(8);
    expect(order).toHaveLength(101);
  });

  test('what was in flight is taken again, in order, before what came later', async () => {
    const { clock, uplink, fill, sent } = await bench();
    uplink.onSend = () => 'hold';
    const ids = fill('live', 20);
    await settle();
    uplink.cut();
    await clock.advance(1_000);
    const later = fill('live', 5);
    uplink.onSend = () => 'accept';
    uplink.heal();
    await clock.advance(1_000);
    expect(sent()).toEqual([...ids, ...later]);
  });

  test('live data that grows old on a slow link gives way to newer', async () => {
    const { clock, lanes, uplink, fill } = await bench({ inFlightMessages: 1, liveMaxAgeMs: 10_000 });
    uplink.onSend = () => 'hold';
    fill('live', 50);
    await clock.advance(12_000);
    expect(lanes.ids('backlog').length).toBeGreaterThan(40);
    const fresh = lanes.add('live');
    uplink.onSend = () => 'accept';
    uplink.releaseHeld();
    await settle();
    expect(uplink.received[1]?.messageId).toBe(`m${fresh}`);
  });

  test('connections that come and go lose nothing and keep each lane in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 60 }), async (steps) => {
        const { clock, lanes, uplink, fill, forwarder } = await bench({ inFlightMessages: 8 });
        uplink.onSend = () => 'hold';
        let made = 0;
        for (const step of steps) {
          if (step === 0) uplink.cut();
          else if (step === 1) uplink.heal();
          else if (step === 2) uplink.releaseHeld();
          else made += fill(step === 3 ? 'live' : 'backfill', 3).length;
          await clock.advance(37);
        }
        uplink.onSend = () => 'accept';
        uplink.heal();
        uplink.releaseHeld();
        await clock.advance(60_000);
        expect([...lanes.acknowledged].sort((a, b) => a - b)).toEqual(
          Array.from({ length: made }, (_, i) => i + 1),
        );
        expect(lanes.taken()).toEqual([]);
        expect(forwarder.state().inFlight).toEqual({ messages: 0, bytes: 0 });
      }),
      { numRuns: 100 },
    );
  });
});

describe('refusals', () => {
  test('a refused message is set aside with the reason, and the others go on', async () => {
    const { clock, lanes, uplink, fill } = await bench();
    uplink.onSend = ({ messageId }) =>
      messageId === 'm3' ? new HoldfastError('uplink-message-refused', 'too large') : 'accept';
    fill('live', 5);
    await clock.advance(100);
    expect(lanes.rejected).toEqual([{ id: 3, reason: 'too large' }]);
    expect(lanes.acknowledged).toEqual([1, 2, 4, 5]);
  });

  test('of messages that were refused together only the guilty one is set aside', async () => {
    const { clock, lanes, uplink, fill } = await bench();
    uplink.onSend = async ({ messageId }) => {
      // As the hub does: it ends the link, and all that is in flight fails for the one message.
      await Promise.resolve();
      if (messageId !== 'm7' && uplink.inFlight === 1) return 'accept';
      if (uplink.inFlight > 1) return retry('uplink-message-suspect');
      return new HoldfastError('uplink-message-refused', 'too large');
    };
    fill('live', 10);
    await clock.advance(30_000);
    expect(lanes.rejected.map(({ id }) => id)).toEqual([7]);
    expect([...lanes.acknowledged].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 8, 9, 10]);
    uplink.onSend = () => 'hold';
    fill('live', 10);
    await settle();
    expect(uplink.inFlight).toBe(10);
  });

  test('a refused message that cannot be set aside stays', async () => {
    const { clock, lanes, uplink, fill } = await bench();
    lanes.failing = 1;
    uplink.onSend = () => new HoldfastError('uplink-message-refused', 'too large');
    fill('live', 1);
    await clock.advance(60_000);
    expect(lanes.rejected.map(({ id }) => id)).toEqual([1]);
  });

  test('a hub that throttles is left alone for a while, then asked for less', async () => {
    const { clock, uplink, fill, forwarder, lanes } = await bench();
    let asked = 0;
    uplink.onSend = () => {
      asked++;
      return retry('uplink-throttled');
    };
    fill('live', 200);
    await clock.advance(10);
    const burst = asked;
    expect(burst).toBeLessThanOrEqual(64);
    expect(forwarder.state().waitingFor).toBe('throttled');
    await clock.advance(200);
    expect(asked).toBe(burst);
    await clock.advance(60_000);
    expect(asked).toBeLessThan(400);
    uplink.onSend = () => 'accept';
    await clock.advance(120_000);
    expect(lanes.acknowledged).toHaveLength(200);
    expect(forwarder.state().waitingFor).toBeUndefined();
  });

  test('however long it throttled, live data is current within seconds of its end', async () => {
    for (const throttledMs of [1_000, 61_000, 600_000]) {
      const { clock, uplink, fill, lanes } = await bench();
      uplink.onSend = () => retry('uplink-throttled');
      fill('live', 500);
      await clock.advance(throttledMs);
      uplink.onSend = () => 'accept';
      const [newest] = fill('live', 1);
      await clock.advance(9_000);
      expect(lanes.acknowledged).toContain(newest);
    }
  });

  test('a quota that is used up is asked about once a minute, and said to be', async () => {
    const { clock, uplink, fill, forwarder, said } = await bench();
    let asked = 0;
    uplink.onSend = () => {
      asked++;
      return retry('uplink-quota-exceeded');
    };
    fill('live', 1);
    await clock.advance(600_000);
    const before = asked;
    await clock.advance(3_600_000);
    expect(asked - before).toBeLessThanOrEqual(121);
    expect(asked - before).toBeGreaterThanOrEqual(59);
    expect(forwarder.state().waitingFor).toBe('quota');
    // It is told as an outage, not at each try.
    expect(said).toEqual([]);
  });
});

describe('caps', () => {
  test('messages a second', async () => {
    const { clock, uplink, fill } = await bench({ messagesPerSecond: 10 });
    fill('live', 500);
    await clock.advance(10_000);
    expect(uplink.received.length).toBeGreaterThanOrEqual(100);
    expect(uplink.received.length).toBeLessThanOrEqual(112);
  });

  test('bytes a second', async () => {
    const { clock, uplink, fill } = await bench({ bytesPerSecond: 50_000 });
    fill('live', 500, 10_000);
    await clock.advance(10_000);
    expect(uplink.received.length).toBeGreaterThanOrEqual(50);
    expect(uplink.received.length).toBeLessThanOrEqual(57);
  });

  test('messages a day, with the reserve for live data, until midnight', async () => {
    const { clock, uplink, lanes, fill, forwarder } = await bench({ messagesPerDay: 100, liveReserve: 0.4 });
    fill('backlog', 200);
    await clock.advance(5_000);
    expect(uplink.received).toHaveLength(60);
    expect(forwarder.state().waitingFor).toBe('daily-cap');
    const live = lanes.add('live');
    await clock.advance(1_000);
    expect(uplink.received.at(-1)?.messageId).toBe(`m${live}`);
    clock.stepWall(86_400_000);
    await clock.advance(120_000);
    expect(uplink.received.length).toBeGreaterThan(100);
  });
});

describe('limits that change', () => {
  test('hold at once; what is in flight stays, and the day goes on counting', async () => {
    const { uplink, lanes, forwarder, clock, fill } = await bench({ messagesPerDay: 5, liveReserve: 0 });
    fill('live', 20);
    await settle();
    expect(uplink.received).toHaveLength(5);
    expect(forwarder.state().waitingFor).toBe('daily-cap');
    uplink.onSend = () => 'hold';
    forwarder.setLimits({ messagesPerDay: 8, liveReserve: 0 });
    await settle();
    expect(uplink.inFlight).toBe(3);
    forwarder.setLimits({ inFlightMessages: 6 });
    await settle();
    expect(uplink.inFlight).toBe(6);
    uplink.onSend = () => 'accept';
    forwarder.setLimits({});
    uplink.releaseHeld();
    await clock.advance(2000);
    expect([...lanes.ids('live'), ...lanes.ids('backlog')]).toEqual([]);
    expect(forwarder.state()).toMatchObject({
      sent: { live: 20, backlog: 0, backfill: 0 },
      dayUse: { units: 20 },
    });
  });

  test('a cap of messages a second holds from now on, and none is gone when it is', async () => {
    const { uplink, forwarder, clock, fill } = await bench();
    fill('live', 10);
    await settle();
    expect(uplink.received).toHaveLength(10);
    forwarder.setLimits({ messagesPerSecond: 2 });
    fill('live', 20);
    await clock.advance(3000);
    expect(uplink.received.length).toBeLessThan(20);
    forwarder.setLimits({});
    await settle();
    expect(uplink.received).toHaveLength(30);
  });

  test('begin nothing after the stop', async () => {
    const { uplink, lanes, forwarder, clock } = await bench();
    const stopped = forwarder.stop(100);
    await clock.advance(1000);
    await stopped;
    forwarder.setLimits({ messagesPerSecond: 5 });
    lanes.add('live');
    await clock.advance(5000);
    expect(uplink.received).toEqual([]);
  });
});

describe('stopping', () => {
  test('what is in flight may still arrive, the rest goes back', async () => {
    const { clock, uplink, lanes, fill, forwarder } = await bench();
    uplink.onSend = () => 'hold';
    const ids = fill('live', 10);
    await settle();
    const stopped = forwarder.stop(1_000);
    uplink.releaseHeld();
    await stopped;
    expect(lanes.acknowledged).toEqual(ids);

    const other = await bench();
    other.uplink.onSend = () => 'hold';
    const held = other.fill('live', 10);
    await settle();
    const late = other.forwarder.stop(1_000);
    await other.clock.advance(1_001);
    await late;
    expect(other.lanes.ids('live')).toEqual(held);
    expect(other.lanes.taken()).toEqual([]);
    expect(other.lanes.acknowledged).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('nothing is taken after it', async () => {
    const { clock, lanes, uplink, forwarder } = await bench();
    await forwarder.stop();
    lanes.add('live');
    uplink.cut();
    uplink.heal();
    await clock.advance(10_000);
    expect(uplink.received).toEqual([]);
  });
});
