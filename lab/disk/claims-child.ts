// Opens a spool that damage-child.ts wrote, says what it claims, writes a window more and closes it.
//
// node claims-child.ts FOLDER
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { openSpool } from '../../runtime/spool/spool.ts';
import { claimsOf } from '../../runtime/spool/testing/claims.ts';
import { change, closed, window } from '../../runtime/spool/testing/open-test-spool.ts';

const spool = await openSpool({
  folder: process.argv[2]!,
  clock: systemClock,
  log: silentLog,
  metrics: noMetrics,
  retention: { reserveBytes: 0 },
  freeBytes: async () => 1e6,
});
process.send!(await claimsOf(spool));
await spool.commitWindows([change('a', [closed('a', window(9000, 9010))])]);
await spool.close();
process.disconnect();
