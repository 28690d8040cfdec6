// Writes a spool over three lives, and ends the last one with a kill -9 amid an open window.
//
// node damage-child.ts FOLDER
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { openSpool } from '../spool.ts';
import { change, closed, readingsIn, window } from './open-test-spool.ts';

for (let life = 0; life < 3; life++) {
  const spool = await openSpool({
    folder: process.argv[2]!,
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });
  for (let n = life * 30; n < life * 30 + 30; n++)
    await spool.commitWindows([change('a', [closed('a', window(n * 10, n * 10 + 10))])]);
  if (life < 2) await spool.close();
  else {
    for (let n = 0; n < 10; n++) {
      const readings = readingsIn(window(n * 10, n * 10 + 10));
      const append = { start: 0, end: n * 10 + 10, readings };
      await spool.commitWindows([{ batchId: 'open', index: 'sequence', closed: [], restart: false, append }]);
    }
    process.kill(process.pid, 'SIGKILL');
  }
}
