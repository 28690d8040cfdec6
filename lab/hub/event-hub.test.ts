import { EventHubConsumerClient, type EventPosition } from '@azure/event-hubs';
import type { ModuleClient } from 'azure-iot-device';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Hub, startHub } from './hub.ts';
import {
  type ConsumeOptions,
  type Consumer,
  consume,
  deviceId,
  eventually,
  moduleId,
  openModule,
  telemetry,
} from './testing/clients.ts';

let hub: Hub;
let client: ModuleClient;
const consumers: Consumer[] = [];
const count = 60;
/** Of the partition that this device's messages go to. */
let partitionId: string;

function reading(options: ConsumeOptions = {}): Consumer {
  const consumer = consume(hub, { partition: partitionId, ...options });
  consumers.push(consumer);
  return consumer;
}

const bodies = (consumer: Consumer) => consumer.events.map((event) => event.body.n as number);
const upTo = (from: number, to = count) => Array.from({ length: to - from }, (_, n) => from + n);

beforeAll(async () => {
  hub = await startHub();
  client = await openModule(hub);
  for (let n = 0; n < count; n++)
    await client.sendEvent(telemetry(JSON.stringify({ n }), { batchId: 'press' }, `m-${n}`));
  partitionId = String(hub.events()[0]!.partition);
});
afterEach(async () => {
  await hub.clearFaults();
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
});
afterAll(async () => {
  await client.close();
  await hub.stop();
});

describe('a consumer', () => {
  test('reads what was sent, in order, with the annotations of IoT Hub', async () => {
    const { events } = reading();
    await eventually(() => events.length >= count);
    expect(events.map((event) => event.body.n)).toEqual(upTo(0));
    expect(events[7]).toMatchObject({
      sequenceNumber: 7,
      messageId: 'm-7',
      contentType: 'application/json',
      properties: { batchId: 'press' },
      systemProperties: {
        'iothub-connection-device-id': deviceId,
        'iothub-connection-module-id': moduleId,
        'iothub-message-source': 'Telemetry',
      },
    });
    expect(Math.abs(events[7]!.enqueuedTimeUtc.getTime() - Date.now())).toBeLessThan(60_000);
  });

  test('with a few credits at a time gets everything, and live events after it', async () => {
    const consumer = reading({ subscribe: { maxBatchSize: 1, prefetchCount: 3 } });
    await eventually(() => consumer.events.length >= count);
    const before = consumer.events.length;
    await client.sendEvent(telemetry('{"n":-1}'));
    await eventually(() => consumer.events.length > before);
    expect(bodies(consumer).slice(0, count)).toEqual(upTo(0));
    expect(bodies(consumer).at(-1)).toBe(-1);
  });

  test('starts where it says: after an offset, at a sequence number, at a time, or with what comes', async () => {
    const held = hub.events(0, 1000);
    const at = (startPosition: EventPosition) => reading({ subscribe: { startPosition } });
    const afterOffset = at({ offset: String(held[39]!.offset), isInclusive: false });
    const atSequence = at({ sequenceNumber: 50, isInclusive: true });
    const atTime = at({ enqueuedOn: new Date(held[0]!.enqueuedAt - 1000) });
    const latest = at({ offset: '@latest' });
    await eventually(
      () => hub.state().readers.filter((reader) => String(reader.partition) === partitionId).length === 4,
    );
    await client.sendEvent(telemetry('{"n":-2}'));
    for (const consumer of [afterOffset, atSequence, atTime, latest])
      await eventually(() => bodies(consumer).at(-1) === -2);
    expect(bodies(afterOffset)[0]).toBe(40);
    expect(bodies(atSequence)[0]).toBe(50);
    expect(bodies(atTime)[0]).toBe(0);
    expect(bodies(latest)).toEqual([-2]);
  });

  test('of all partitions finds them by itself', async () => {
    const consumer = consume(hub);
    consumers.push(consumer);
    await eventually(() => consumer.events.length >= count && hub.state().readers.length === 4);
    expect(bodies(consumer).slice(0, count)).toEqual(upTo(0));
  });

  test('of another group reads for itself', async () => {
    const [one, other] = [reading(), reading({ group: 'detector' })];
    await eventually(() => one.events.length >= count && other.events.length >= count);
    expect(bodies(other).slice(0, count)).toEqual(upTo(0));
  });

  test('sees partitions and their ends', async () => {
    const consumer = reading();
    expect((await consumer.client.getEventHubProperties()).partitionIds).toEqual(['0', '1', '2', '3']);
    const { stored } = hub.state().events;
    expect(await consumer.client.getPartitionProperties(partitionId)).toMatchObject({
      beginningSequenceNumber: 0,
      lastEnqueuedSequenceNumber: stored - 1,
      isEmpty: false,
    });
  });

  test('gets messages of 200 KB whole', async () => {
    const body = Buffer.alloc(200_000, 'y');
    for (let n = 0; n < 3; n++) await client.sendEvent(telemetry(body));
    const consumer = reading();
    await eventually(() => consumer.events.filter((event) => Buffer.isBuffer(event.body)).length >= 3);
    expect(
      consumer.events
        .filter((event) => Buffer.isBuffer(event.body))
        .every((event) => body.equals(event.body)),
    ).toBe(true);
  });

  test('goes on after its connection is cut, and misses nothing', async () => {
    const consumer = reading();
    await eventually(() => consumer.events.length >= count);
    expect(hub.drop(['eventHub'])).toBeGreaterThan(0);
    await client.sendEvent(telemetry('{"n":-3}'));
    await eventually(() => bodies(consumer).includes(-3), 10_000);
  });

  test('with a wrong key is refused', async () => {
    const text = hub.eventHubConnectionString.replace(/SharedAccessKey=[^;]+/, 'SharedAccessKey=wrong');
    const stranger = new EventHubConsumerClient('$Default', text, { retryOptions: { maxRetries: 0 } });
    const error = await stranger.getPartitionIds().catch((e) => e);
    expect(String(error.name)).toMatch(/Unauthorized|MessagingError/);
    await stranger.close();
  });

  test('that reads nothing is frozen out by a stall, and wakes with it', async () => {
    await hub.setFaults({ stall: ['eventHub'] });
    const consumer = reading();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(consumer.events).toHaveLength(0);
    await hub.setFaults({ stall: null });
    await eventually(() => consumer.events.length >= count, 10_000);
  });
});

test('an owner takes the partition from owners of the same and lower levels, and keeps out lower ones', async () => {
  const errors: string[] = [];
  const own = (ownerLevel: number, label: string) => {
    const consumer = new EventHubConsumerClient('owners', hub.eventHubConnectionString, {
      retryOptions: { maxRetries: 0 },
    });
    const events: number[] = [];
    const subscription = consumer.subscribe(
      partitionId,
      {
        processEvents: async (batch) => void events.push(batch.length),
        processError: async (error) => void errors.push(`${label} ${(error as { code?: string }).code}`),
      },
      { startPosition: { offset: '-1' }, ownerLevel, maxWaitTimeInSeconds: 0.1 },
    );
    const close = async () => {
      await subscription.close();
      await consumer.close();
    };
    return { events, close };
  };
  const epochs = () =>
    hub
      .state()
      .readers.filter((reader) => reader.group === 'owners')
      .map((reader) => reader.epoch);
  const low = own(1, 'low');
  await eventually(() => epochs()[0] === 1);
  const high = own(2, 'high');
  await eventually(() => errors.some((error) => error.startsWith('low')));
  expect(errors[0]).toMatch(/ReceiverDisconnectedError/);
  expect(epochs()).toEqual([2]);
  const lower = own(0, 'lower');
  await eventually(() => errors.some((error) => error.startsWith('lower')));
  expect(epochs()).toEqual([2]);
  await Promise.all([low.close(), high.close(), lower.close()]);
});
