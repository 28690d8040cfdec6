// Opens a spool that is there, says how long that took until it could take and give messages, and closes it.
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { openSpool } from '../../../runtime/spool/spool.ts';
import { childSettings, mark } from '../harness/child.ts';

const { folder } = childSettings<{ folder: string }>();
const startedAt = performance.now();
const spool = await openSpool({ folder, clock: systemClock, log: silentLog, metrics: noMetrics });
const openMs = performance.now() - startedAt;
const [first] = await spool.take('backlog', { messages: 1, bytes: 1 });
const firstMessageMs = performance.now() - startedAt;
if (first === undefined) throw new Error('there is no backlog');
await spool.close();
mark('end', { openMs, firstMessageMs });
