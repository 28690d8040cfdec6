// A fleet's messages as the Event Hubs client hands them over: decoded AMQP, one batch of one partition at a
// time. One window in a hundred is lost (half of these come later, as backfill), one in a hundred comes twice.

import type { HubEvent } from '../../../cloud-lite/ingest/event-hub-client.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { formatIndex } from '../../../wire/window.ts';

export interface Fleet {
  readonly streams: number;
  readonly partitions: number;
  /** Events a batch: what the consumer asks the client for. */
  readonly batchSize: number;
  /** Start of the first window, UTC epoch ms. */
  readonly startsAt: number;
}

export const windowMs = 10_000;
const streamsPerDevice = 4;
const lostShare = 0.01;
const twiceShare = 0.01;
/** A backfill comes this many windows later. */
const repairedAfter = 30;

/** Batches of one partition, without end. */
export function* batchesOf(fleet: Fleet, partition: number): Generator<readonly HubEvent[]> {
  const random = seededRandom(partition + 1);
  const devices = Array.from(
    { length: Math.ceil(fleet.streams / streamsPerDevice) },
    (_, device) => device,
  ).filter((device) => device % fleet.partitions === partition);
  const later = new Map<number, Sent[]>();
  let sequence = 0;
  let batch: HubEvent[] = [];
  for (let round = 0; ; round++) {
    for (const sent of roundOf(fleet, devices, round, random, later)) {
      batch.push(hubEvent(fleet, sent, sequence++, fleet.startsAt + (round + 1) * windowMs));
      if (batch.length < fleet.batchSize) continue;
      yield batch;
      batch = [];
    }
  }
}

interface Sent {
  readonly device: number;
  readonly line: number;
  readonly round: number;
  readonly isBackfill: boolean;
}

/** What one partition brings while each of its streams closes one window. */
function* roundOf(
  fleet: Fleet,
  devices: readonly number[],
  round: number,
  random: ReturnType<typeof seededRandom>,
  later: Map<number, Sent[]>,
): Generator<Sent> {
  yield* later.get(round) ?? [];
  later.delete(round);
  for (const device of devices) {
    const lines = Math.min(streamsPerDevice, fleet.streams - device * streamsPerDevice);
    for (let line = 0; line < lines; line++) {
      const sent = { device, line, round, isBackfill: false };
      const luck = random.next();
      if (luck >= lostShare) {
        yield sent;
        if (luck > 1 - twiceShare) yield sent;
      } else if (luck < lostShare / 2) {
        const at = round + repairedAfter;
        later.set(at, [...(later.get(at) ?? []), { ...sent, isBackfill: true }]);
      }
    }
  }
}

function hubEvent(fleet: Fleet, sent: Sent, sequence: number, enqueuedAt: number): HubEvent {
  const { device, line, round, isBackfill } = sent;
  const start = formatIndex('time', fleet.startsAt + round * windowMs);
  const end = formatIndex('time', fleet.startsAt + (round + 1) * windowMs);
  const batchId = `hall-${device}.press-${line}`;
  return {
    sequenceNumber: sequence,
    offset: String(sequence * 1400),
    enqueuedTimeUtc: new Date(enqueuedAt),
    messageId: `${batchId};${start}-${end}${isBackfill ? ';b' : ''}`,
    contentType: 'application/json',
    properties: {
      batchId,
      startWindow: start,
      endWindow: end,
      count: '500',
      schema: 'columns/1',
      ...(isBackfill ? { isBackfill: 'true', requestId: `repair-${device}-${line}-${round}` } : {}),
    },
    systemProperties: {
      contentEncoding: 'gzip',
      'iothub-connection-device-id': `gateway-${device}`,
      'iothub-connection-module-id': 'holdfast',
      'iothub-connection-auth-method': '{"scope":"module","type":"sas","issuer":"iothub"}',
      'iothub-connection-auth-generation-id': '638680000000000000',
      'iothub-enqueuedtime': new Date(enqueuedAt),
      'iothub-message-source': 'Telemetry',
    },
  };
}
