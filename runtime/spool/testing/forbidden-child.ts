// Opens spools as another user, in a process of its own, and says what it found. Then it works with them. Waits take a
// twentieth of their time.
//
// node forbidden-child.ts FOLDER...
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { openSpool } from '../spool.ts';
import { change, closed, takeAll, window } from './open-test-spool.ts';

const clock: Clock = {
  ...systemClock,
  setTimer: (delayMs, callback) => systemClock.setTimer(delayMs / 20, callback),
};

async function look(folder: string): Promise<object> {
  const told: string[] = [];
  const tell = (fields: object, message: string) => void told.push(`${message} ${JSON.stringify(fields)}`);
  const spool = await openSpool({
    folder,
    clock,
    log: { ...silentLog, error: tell, warn: tell, info: tell },
    metrics: noMetrics,
    retention: { reserveBytes: 0 },
    freeBytes: async () => 1e6,
  });
  const start = spool.openStream('a', 'sequence');
  const messages = (await takeAll(spool, 'backlog')).length;
  await spool.commitWindows([change('a', [closed('a', window(9000, 9010))])]);
  const { damaged, repair, state } = spool.stats();
  await spool.close();
  return { ...start, messages, damaged, repair: repair?.reason, state, told };
}

const found: object[] = [];
for (const folder of process.argv.slice(2)) found.push(await look(folder));
process.stdout.write(JSON.stringify(found));
