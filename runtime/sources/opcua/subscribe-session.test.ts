import { describe, expect, it } from 'vitest';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { settle, VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { opcuaSourceSchema } from './config.ts';
import type { ItemRequest, OpcuaSession, Published } from './opcua-session.ts';
import { RepeatedTimes } from './repeated-times.ts';
import { SubscribeSession } from './subscribe-session.ts';
import { at, T } from './testing/timeline-rig.ts';

const publishMs = 1000;
const samplingMs = 100;

/** A server that samples a value ten times a message, and grants a queue of `granted` whatever is asked for. */
async function watch(granted: number, asked?: number) {
  const clock = new VirtualClock(T);
  const sink = new RecordingSink();
  const warned: string[] = [];
  const log: Log = { ...silentLog, warn: (...said: unknown[]) => void warned.push(String(said.at(-1))) };
  const waiting: ((message: Published) => void)[] = [];
  let handle = 0;
  const session = {
    lost: new AbortController().signal,
    namespaces: [],
    serverTime: async () => clock.now(),
    subscribe: async () => ({ id: 1, publishMs, keepAliveCount: 10 }),
    monitor: async (_id: number, items: readonly ItemRequest[]) => {
      handle = items[0]!.handle;
      const status = { value: 0, name: 'Good' };
      return items.map((item) => ({ status, itemId: 1, samplingMs: item.samplingMs, queueSize: granted }));
    },
    publish: () => new Promise<Published>((resolve) => waiting.push(resolve)),
  } as unknown as OpcuaSession;
  const config = opcuaSourceSchema.parse({
    type: 'opcua',
    name: 'press',
    endpoint: 'opc.tcp://press:4840',
    publishMs,
    samplingMs,
    ...(asked !== undefined && { queueSize: asked }),
    tags: [{ name: 'v', node: 'ns=2;s=v' }],
  });
  const subscribed = new SubscribeSession({
    ...{ session, config, sink, clock, log, metrics: noMetrics, floor: undefined },
    repeated: new RepeatedTimes(clock),
    onTags: () => {},
    beforeValues: async () => {},
  });
  subscribed.run().catch(() => {});
  await settle();
  const samples: number[] = [];
  for (let sequence = 1; sequence <= 20; sequence++) {
    const queue: number[] = [];
    for (let n = 0; n < publishMs / samplingMs; n++) {
      await clock.advance(samplingMs);
      queue.push(clock.now());
    }
    samples.push(...queue);
    const values = queue.slice(-granted).map((time) => ({ handle, value: at(time - T, time - T) }));
    const message = { subscriptionId: 1, sequence, publishedAt: clock.now(), more: false, values };
    waiting.shift()!({ ...message, isKeepAlive: false });
    await settle();
  }
  const claimed: [number, number][] = [];
  for (const event of sink.events) {
    if (event.kind === 'resumed') claimed.push([event.at, event.at]);
    if (event.kind === 'observed') claimed.at(-1)![1] = event.until;
    if (event.kind === 'broken') claimed.at(-1)![1] = event.at;
  }
  const given = new Set(sink.readings.map(({ value }) => Number(value) + T));
  const isClaimed = (time: number) => claimed.some(([start, end]) => time >= start && time < end);
  const lost = samples.filter((time) => !given.has(time));
  return {
    warned: warned.filter((text) => text.startsWith('queue size 1')),
    lost,
    given: given.size,
    claimedInVain: lost.filter(isClaimed),
    claimed: samples.filter(isClaimed).length,
  };
}

describe('a server that grants a queue of one', () => {
  it('where twenty were asked for is told of once, and what it left out is claimed nowhere', async () => {
    const { warned, lost, claimedInVain, given } = await watch(1);
    expect(warned).toHaveLength(1);
    expect(given).toBeGreaterThan(15);
    expect(lost.length).toBeGreaterThan(150);
    expect(claimedInVain).toEqual([]);
  });

  it('where it looks more often than it sends hides values as well, though no more were asked for', async () => {
    const { warned, claimedInVain } = await watch(1, 1);
    expect([warned.length, claimedInVain]).toEqual([1, []]);
  });

  it('and not one that grants what is needed: all is claimed', async () => {
    const { warned, claimedInVain, claimed } = await watch(20);
    expect([warned, claimedInVain]).toEqual([[], []]);
    expect(claimed).toBeGreaterThan(150);
  });
});
