import { describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { settle, VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { keepDayUse, readDayUse } from './day-use.ts';
import { createForwarderSlot } from './forwarder-slot.ts';
import { createFakeLanes } from './testing/fake-lanes.ts';
import { createFakeUplink } from './testing/fake-uplink.ts';

async function bench(messagesPerDay: number) {
  const clock = new VirtualClock();
  const uplink = createFakeUplink(() => clock.now());
  const lanes = createFakeLanes(() => clock.now());
  const options = { uplink, lanes, clock, random: seededRandom(1), log: silentLog, metrics: noMetrics };
  const slot = createForwarderSlot(options, { messagesPerDay, liveReserve: 0 });
  uplink.start();
  await settle();
  slot.start();
  return { clock, uplink, lanes, slot };
}

describe('limits that change', () => {
  it('count on, lose nothing that was in flight, and apply at once', async () => {
    const { uplink, lanes, slot, clock } = await bench(5);
    for (let n = 0; n < 20; n++) lanes.add('live');
    await settle();
    expect(uplink.received).toHaveLength(5);
    expect(slot.state().waitingFor).toBe('daily-cap');
    uplink.onSend = () => 'hold';
    const changed = slot.setLimits({ messagesPerDay: 8, liveReserve: 0 });
    await clock.advance(2000);
    await changed;
    expect(uplink.inFlight).toBe(3);
    uplink.onSend = () => 'accept';
    const again = slot.setLimits({});
    await clock.advance(2000);
    await again;
    uplink.releaseHeld();
    await settle();
    expect([...lanes.ids('live'), ...lanes.ids('backlog')]).toEqual([]);
    // What waited through the change has become backlog, as it does through a restart.
    expect(slot.state().sent).toEqual({ live: 5, backlog: 15, backfill: 0 });
    // Three were sent twice, and cost twice.
    expect(slot.state().dayUse.units).toBe(23);
  });

  it('after the stop nothing is sent any more', async () => {
    const { uplink, lanes, slot, clock } = await bench(0);
    const stopped = slot.stop(100);
    await clock.advance(1000);
    await stopped;
    await slot.setLimits({ messagesPerSecond: 5 });
    lanes.add('live');
    await clock.advance(5000);
    expect(uplink.received).toEqual([]);
  });
});

describe("the day's use", () => {
  it('is kept once a minute while it changes, and at stop; nonsense counts for nothing', async () => {
    const clock = new VirtualClock();
    const kept = new Map<string, unknown>();
    let writes = 0;
    const store = {
      putSetting: async (name: string, value: unknown) => {
        writes++;
        kept.set(name, value);
      },
      getSetting: async (name: string) => kept.get(name),
    };
    let use: { day: number; units: number } | undefined = { day: 1, units: 10 };
    const saver = keepDayUse({ store, use: () => use, clock, log: silentLog });
    saver.start();
    await clock.advance(300_000);
    expect(writes).toBe(1);
    use = { day: 1, units: 11 };
    await saver.stop();
    expect(await readDayUse(store)).toEqual({ day: 1, units: 11 });
    use = undefined;
    await clock.advance(300_000);
    expect(writes).toBe(2);
    kept.set('forwarder.dayUse', { day: 'x' });
    expect(await readDayUse(store)).toBeUndefined();
  });
});
