// The bare azure-iot-device SDK, sending what a spool holds: all of it read into memory first, then so many at a time.
import { readFileSync } from 'node:fs';
import device from 'azure-iot-device';
import transport from 'azure-iot-device-amqp';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { openSpool } from '../../../runtime/spool/spool.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import { childSettings, mark } from '../harness/child.ts';
import { cpuMicros } from '../harness/usage.ts';

export interface BareSettings {
  /** A copy: it is emptied. */
  readonly folder: string;
  readonly connectionString: string;
  readonly caFile: string;
  readonly concurrency: number;
}

const { folder, connectionString, caFile, concurrency } = childSettings<BareSettings>();
const messages = (await readAll()).map(toMessage);
const client = device.ModuleClient.fromConnectionString(connectionString, transport.Amqp);
await client.setOptions({ ca: readFileSync(caFile, 'utf8') });
await client.open();
mark('start');
const [startedAt, cpuBefore] = [performance.now(), cpuMicros()];
let next = 0;
await Promise.all(
  Array.from({ length: concurrency }, async () => {
    while (next < messages.length) await client.sendEvent(messages[next++]!);
  }),
);
mark('end', {
  messages: messages.length,
  messagesPerSecond: messages.length / ((performance.now() - startedAt) / 1000),
  cpuMicrosPerMessage: (cpuMicros() - cpuBefore) / messages.length,
});
await client.close();
process.exit(0);

async function readAll(): Promise<readonly WireMessage[]> {
  const spool = await openSpool({ folder, clock: systemClock, log: silentLog, metrics: noMetrics });
  // What waits through a restart is backlog.
  const all: WireMessage[] = [];
  for (;;) {
    const taken = await spool.take('backlog', { messages: 256, bytes: 8 * 2 ** 20 });
    if (taken.length === 0) break;
    all.push(...taken.map(({ message }) => message));
    await spool.acknowledge(taken);
  }
  await spool.close();
  return all;
}

/** With the properties that Holdfast sends. */
function toMessage({
  body,
  messageId,
  contentEncoding,
  properties,
  creationTime,
}: WireMessage): device.Message {
  const message = new device.Message(Buffer.from(body));
  message.messageId = messageId;
  message.contentType = 'application/json';
  message.contentEncoding = contentEncoding as 'utf-8';
  for (const [name, value] of Object.entries(properties)) message.properties.add(name, value);
  message.properties.add('iothub-creation-time-utc', new Date(creationTime).toISOString());
  return message;
}
