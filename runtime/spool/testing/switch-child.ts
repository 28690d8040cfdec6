// The process that is killed while keys change. Says `opening` on standard output, then opens the spool, and logs each
// window once it is durable. Arguments: folder, log file, first index, the key that seals or `-`, keys that open.
import { openSync, writeSync } from 'node:fs';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { openSpool } from '../spool.ts';
import { change, closed, window } from './open-test-spool.ts';
import { plainAfter, sealedWith } from './sealed.ts';

const [folder = '', logFile = '', first = '0', key = '-', ...previous] = process.argv.slice(2);
const codec = key === '-' ? plainAfter(...previous) : sealedWith(key, ...previous);
const log = openSync(logFile, 'a');
writeSync(1, 'opening\n');
const spool = await openSpool({ folder, codec, clock: systemClock, log: silentLog, metrics: noMetrics });
for (let at = Number(first); ; at += 10) {
  await spool.commitWindows([change('press', [closed('press', window(at, at + 10))])]);
  await spool.putSetting(`n${at % 7}`, { at, text: 'x'.repeat(2000) });
  writeSync(log, `${at}\n`);
}
