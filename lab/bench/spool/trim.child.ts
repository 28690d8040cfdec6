// Fills an archive, lets retention remove a quarter of it, and says what was written for each byte that this freed.
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { openSpool } from '../../../runtime/spool/spool.ts';
import { childSettings, mark } from '../harness/child.ts';
import { fill } from './fill.ts';
import { keepInSpool } from './spool-recorder.ts';

export interface TrimSettings {
  readonly folder: string;
  readonly archiveMB: number;
}

const { folder, archiveMB } = childSettings<TrimSettings>();
const archiveBytes = archiveMB * 2 ** 20;
const keptBytes = 0.75 * archiveBytes;
const room = { maxBytes: 4 * archiveBytes, archiveMs: 86_400_000 };
const streams = 10;
// Messages of 4 KB: what the hub meters as one.
const limits = { maxBytes: 4096, commitBytes: 2 ** 20 };
const turns = { streams, readingsAtOnce: 4 };

const recorder = await keepInSpool({
  ...{ folder, clock: systemClock, streams, limits, gzip: false, acknowledge: true },
  retention: { ...room, archiveBytes: 2 * archiveBytes },
});
for (let next = 1; recorder.spool.stats().stored.bytes < archiveBytes; )
  next = await fill(recorder, archiveMB / 16, next, turns);
await recorder.settled();
// What LevelDB still has to tidy up of that must not be counted.
for (let [before, quiet] = [0, 0]; quiet < 3; before = writtenBytes()) {
  await wait(1000);
  quiet = writtenBytes() === before ? quiet + 1 : 0;
}
await recorder.stop();

const spool = await openSpool({
  ...{ folder, clock: systemClock, log: silentLog, metrics: noMetrics },
  retention: { ...room, archiveBytes: keptBytes, intervalMs: 500 },
});
const before = { stored: spool.stats().stored, written: writtenBytes(), at: performance.now() };
while (spool.stats().stored.bytes > keptBytes) await wait(50);
const seconds = (performance.now() - before.at) / 1000;
await wait(3000);
const { stored } = spool.stats();
const freedBytes = before.stored.bytes - stored.bytes;
mark('end', {
  messages: before.stored.messages,
  freedMB: freedBytes / 2 ** 20,
  removedPerSecond: (before.stored.messages - stored.messages) / seconds,
  writtenPerFreedByte: (writtenBytes() - before.written) / freedBytes,
});
await spool.close();

/** By this process, as the kernel charges them. */
function writtenBytes(): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))![1]);
}
