// Acknowledges a whole backlog as fast as it can be read, then waits for retention to give the disk back, by its
// own timer and thresholds.
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { openSpool } from '../../../runtime/spool/spool.ts';
import { childSettings, mark } from '../harness/child.ts';
import { diskMB } from './disk.ts';

const { folder, limitMs } = childSettings<{ folder: string; limitMs: number }>();
const spool = await openSpool({
  folder,
  clock: systemClock,
  log: silentLog,
  metrics: noMetrics,
  // Nothing acknowledged is kept, and it is looked at more often than by default; all else is the default.
  retention: { archiveBytes: 0, archiveMs: 0, intervalMs: 500 },
});
const { bytes, messages } = spool.depth('backlog');
const fullMB = await diskMB(folder);
const startedAt = performance.now();
for (;;) {
  const entries = await spool.take('backlog', { messages: 256, bytes: 8 * 2 ** 20 });
  if (entries.length === 0) break;
  await spool.acknowledge(entries);
}
const drainMs = performance.now() - startedAt;
const until = performance.now() + limitMs;
let left = await diskMB(folder);
for (let same = 0; same < 5 && performance.now() < until; ) {
  await wait(500);
  const now = await diskMB(folder);
  same = spool.stats().stored.messages === 0 && Math.abs(now - left) < 0.1 ? same + 1 : 0;
  left = now;
}
mark('end', {
  fullMB,
  diskLeftMB: left,
  recordsLeft: spool.stats().stored.messages,
  drainMBPerSecond: bytes / 2 ** 20 / (drainMs / 1000),
  drainMessagesPerSecond: messages / (drainMs / 1000),
});
await spool.close();
