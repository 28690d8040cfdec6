// Opens a copy of a spool that was made while the spool was written, as a start after a power cut would, and says how it was.
//
// node image-child.ts FOLDER
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { openSpool } from '../../runtime/spool/spool.ts';

const spool = await openSpool({
  folder: process.argv[2]!,
  clock: systemClock,
  log: silentLog,
  metrics: noMetrics,
  retention: { reserveBytes: 0 },
});
const { stored, damaged, repair } = spool.stats();
process.stdout.write(JSON.stringify({ messages: stored.messages, damaged, repair: repair?.reason }));
await spool.close();
