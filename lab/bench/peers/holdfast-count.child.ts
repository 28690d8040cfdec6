// How many different readings a spool holds that was left by a crash.
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { openSpool } from '../../../runtime/spool/spool.ts';
import { laneNames } from '../../../runtime/uplink/lanes.ts';
import { decodeBody } from '../../../wire/body.ts';
import { childSettings, mark } from '../harness/child.ts';

const { folder } = childSettings<{ folder: string }>();
const spool = await openSpool({ folder, clock: systemClock, log: silentLog, metrics: noMetrics });
const found = new Set<string>();
for (const lane of laneNames) {
  for (;;) {
    const entries = await spool.take(lane, { messages: 100, bytes: 8 * 2 ** 20 });
    if (entries.length === 0) break;
    for (const { message } of entries) {
      const { body, contentEncoding, properties } = message;
      const facts = { schema: properties.schema ?? '', contentEncoding, index: 'time' } as const;
      for (const { index, tag } of decodeBody(body, facts)) found.add(`${index}/${tag}`);
    }
    await spool.acknowledge(entries);
  }
}
await spool.close();
mark('end', { readings: found.size });
