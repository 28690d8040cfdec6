// The module under load: sources as fast as the way to the hub takes their readings, or at a steady pace.
import { setTimeout as wait } from 'node:timers/promises';
import { meteredUnitBytes } from '../../../wire/limits.ts';
import { messageBytes } from '../../../wire/message-size.ts';
import { childSettings, mark } from '../harness/child.ts';
import { cpuMicros } from '../harness/usage.ts';
import { connected, type EdgeModule, openEdgeModule } from './edge-module.ts';
import { createPolledSource } from './polled-source.ts';
import './whole-module.ts';

export interface RelaySettings {
  readonly folder: string;
  readonly connectionString: string;
  readonly caFile: string;
  readonly streams: number;
  /** 0: as fast as it goes. */
  readonly pollMs: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

const settings = childSettings<RelaySettings>();
const acknowledged = { readings: 0, messages: 0, units: 0, bytes: 0 };
/** Beyond these the sources wait: what is measured is what arrives, not what is put aside. */
const maxWaitingBytes = 24 * 2 ** 20;
const maxWaitingMessages = 64;
const staggerMs = 2000;

const module = await openEdgeModule({
  ...settings,
  onAcknowledged(message) {
    const bytes = messageBytes(message);
    acknowledged.readings += Number(message.properties.count);
    acknowledged.messages++;
    acknowledged.bytes += bytes;
    acknowledged.units += Math.ceil(bytes / meteredUnitBytes);
  },
  source: (stream, of) =>
    createPolledSource(stream, {
      pollMs: settings.pollMs,
      delayMs: (stream * staggerMs) / settings.streams,
      ready: (signal) => ready(of, signal),
    }),
});
module.start({ forwarder: true, sources: false });
await connected(module);
module.start({ forwarder: true, sources: true });

await wait(settings.warmupMs);
mark('start');
const before = { ...acknowledged, cpu: cpuMicros(), at: performance.now() };
await wait(settings.measureMs);
const readings = acknowledged.readings - before.readings;
const messages = acknowledged.messages - before.messages;
mark('end', {
  readings,
  messages,
  readingsPerSecond: readings / ((performance.now() - before.at) / 1000),
  cpuMicrosPerReading: (cpuMicros() - before.cpu) / readings,
  unitsPerMillion: (acknowledged.units - before.units) / (readings / 1e6),
  bytesPerReading: (acknowledged.bytes - before.bytes) / readings,
  readingsPerMessage: readings / messages,
});
await module.stop();

async function ready({ windows, spool }: EdgeModule, signal: AbortSignal): Promise<void> {
  if (settings.pollMs > 0) return;
  const isFull = () =>
    windows.memoryBytes() > maxWaitingBytes || spool.depth('live').messages > maxWaitingMessages;
  do await wait(0);
  while (isFull() && !signal.aborted);
}
