import { Client, Message } from 'azure-iot-device';
import { Amqp } from 'azure-iot-device-amqp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeMiniBatch, encodeVoid, markAsBackfill } from '../../wire/message.ts';
import type { WireMessage } from '../../wire/mini-batch.ts';
import { type Hub, startHub } from '../hub/hub.ts';
import { type CloudTap, startCloudTap } from './cloud-tap.ts';

let hub: Hub;
let tap: CloudTap;
let device: Client;

beforeAll(async () => {
  hub = await startHub();
  tap = startCloudTap({ connectionString: hub.eventHubConnectionString });
  device = Client.fromConnectionString(hub.deviceConnectionString('edge-1'), Amqp);
  await device.setOptions({ ca: hub.caFile });
  await device.open();
});

afterAll(async () => {
  await device?.close();
  await tap?.close();
  await hub?.stop();
});

function send(wire: WireMessage): Promise<unknown> {
  const message = new Message(Buffer.from(wire.body));
  message.messageId = wire.messageId;
  message.contentType = 'application/json';
  // Its types know only UTF; the hub takes what HTTP calls a content encoding.
  message.contentEncoding = wire.contentEncoding as 'utf-8';
  for (const [name, value] of Object.entries(wire.properties)) message.properties.add(name, value);
  return device.sendEvent(message);
}

test('takes what a device sent, in every encoding, once, and says what it cannot read', async () => {
  const common = { batchId: 'press', index: 'time' as const };
  const value = { quality: 'good' as const };
  const batch = {
    ...common,
    window: { start: 1000, end: 2000 },
    readings: [
      { index: 1000, tag: 'temperature', value: Math.fround(21.7), ...value },
      { index: 1500, tag: 'label', value: 'Lot 7', ...value },
    ],
  };
  const options = { creationTime: 5000 };
  const [live] = encodeMiniBatch(batch, { ...options, schema: 'columns/1', gzip: true });
  const next = { ...batch, window: { start: 2000, end: 3000 }, readings: [] };
  const [plain] = encodeMiniBatch(next, { ...options, schema: 'readings/1', gzip: false });
  const gone = { ...common, window: { start: 3000, end: 3500 }, reason: 'no-history' as const };
  for (const wire of [live!, plain!, encodeVoid(gone, options), markAsBackfill(live!, { requestId: 'r1' })]) {
    await send(wire);
  }
  await device.sendEvent(new Message('something else'));

  await expect.poll(() => tap.taken(), { timeout: 90_000 }).toBe(5);
  const copy = tap.copy.streams().get('press')!;
  expect(copy).toMatchObject({
    messages: 4,
    backfillMessages: 1,
    covered: [{ start: 1000, end: 3000 }],
    voids: [{ window: { start: 3000, end: 3500 }, reason: 'no-history' }],
    misplaced: 0,
    miscounted: 0,
  });
  expect(copy.readings.get(1000)?.get('temperature')).toEqual({
    value: Math.fround(21.7),
    times: 2,
    others: [],
  });
  expect(tap.undecodable).toHaveLength(1);
});
