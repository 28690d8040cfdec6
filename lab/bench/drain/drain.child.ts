// The module with a backlog, or none, and one live stream: how fast the one leaves, and how long the other takes
// from a reading to its acknowledgement meanwhile. Windows of the live stream close with each poll, so that
// their age does not hide how long the rest takes.
import { setTimeout as wait } from 'node:timers/promises';
import { parseIndex } from '../../../wire/index-position.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import { childSettings, mark } from '../harness/child.ts';
import { cpuMicros } from '../harness/usage.ts';
import { connected, openEdgeModule } from '../relay/edge-module.ts';
import { createPolledSource } from '../relay/polled-source.ts';
import '../relay/whole-module.ts';
import { tagsPerPoll } from '../spool/readings.ts';

export interface DrainSettings {
  readonly folder: string;
  readonly connectionString: string;
  readonly caFile: string;
  /** Between two polls of the live stream. */
  readonly pollMs: number;
  /** Undisturbed by a backlog: measured for so long. With one: until it has gone. */
  readonly idleMs?: number;
}

const settings = childSettings<DrainSettings>();
const livePrefix = 'live';
/** When polls were made that are not acknowledged yet, epoch ms, the oldest first. */
const waiting: number[] = [];
const latenciesMs: number[] = [];
const warmupMs = 1500;
let isMeasuring = false;
let gone = 0;
let goneAt = 0;

const module = await openEdgeModule({
  ...settings,
  prefix: livePrefix,
  streams: 1,
  limits: { maxReadings: tagsPerPoll },
  source: () => createPolledSource(0, { pollMs: settings.pollMs, delayMs: 0, onPoll }),
  onAcknowledged,
});
const backlog = module.spool.depth('backlog').messages;
module.start({ forwarder: false, sources: false });
await connected(module);
mark('start');
const [startedAt, cpuBefore] = [performance.now(), cpuMicros()];
isMeasuring = settings.idleMs === undefined;
module.start({ forwarder: true, sources: true });
if (settings.idleMs === undefined) while (gone < backlog) await wait(5);
else {
  await wait(warmupMs);
  isMeasuring = true;
  await wait(settings.idleMs);
}
isMeasuring = false;
mark('end', {
  backlog,
  messagesPerSecond: backlog / ((goneAt - startedAt) / 1000),
  cpuMicrosPerMessage: (cpuMicros() - cpuBefore) / backlog,
  latenciesMs,
});
await module.stop();

function onPoll(): void {
  waiting.push(Date.now());
}

function onAcknowledged({ properties }: WireMessage): void {
  const now = Date.now();
  if (!properties.batchId?.startsWith(livePrefix)) {
    gone++;
    goneAt = performance.now();
    return;
  }
  // What the window holds; the site clock's scale is the wall clock's, but for rounding.
  const end = parseIndex('time', properties.endWindow) + 1;
  while (waiting.length > 0 && waiting[0]! < end) {
    const latency = now - waiting.shift()!;
    if (isMeasuring) latenciesMs.push(latency);
  }
}
