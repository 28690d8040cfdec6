// Opens a spool that damage-child.ts wrote, says what it claims, writes a window more and closes it.
//
// node claims-child.ts FOLDER
import { systemClock } from '../../kernel/clock.ts';
import { type Log, silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { openSpool } from '../../runtime/spool/spool.ts';
import { claimsOf } from '../../runtime/spool/testing/claims.ts';
import { change, closed, window } from '../../runtime/spool/testing/open-test-spool.ts';

// What keeps it, where it comes to nothing in time.
const said: string[] = [];
const log: Log = {
  ...silentLog,
  error: (fields, text) => void said.push(`${text} ${JSON.stringify(fields)}`),
};
process.once('SIGTERM', () => {
  process.stderr.write(`${said.slice(-5).join('\n')}\n`);
  process.exit(1);
});

const spool = await openSpool({
  folder: process.argv[2]!,
  clock: systemClock,
  log,
  metrics: noMetrics,
  retention: { reserveBytes: 0 },
  freeBytes: async () => 1e6,
});
process.send!(await claimsOf(spool));
await spool.commitWindows([change('a', [closed('a', window(9000, 9010))])]);
await spool.close();
process.disconnect();
