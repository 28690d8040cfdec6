// The product's Modbus source on the same registers: poll after poll without a pause, into a sink that counts.
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { modbusTcpSourceSchema } from '../../../runtime/sources/modbus/config.ts';
import { createModbusLinks } from '../../../runtime/sources/modbus/link.ts';
import { createModbusSource } from '../../../runtime/sources/modbus/modbus-source.ts';
import type { SourceSink } from '../../../runtime/sources/source.ts';
import { childSettings, mark } from '../harness/child.ts';
import { raisePriority } from '../harness/priority.ts';
import { cpuMicros, residentMB } from '../harness/usage.ts';
import { blockRegisters, blocks, type LoopSettings } from './loop.ts';

raisePriority();
const { port, warmupMs, measureMs } = childSettings<LoopSettings>();
/** Of one source: each polls at most every 10 ms, and one alone would wait for that. They share one connection. */
const units = 4;
let readings = 0;
const sink: SourceSink = {
  emit(event) {
    if (event.kind === 'readings') readings += event.readings.length;
    return true;
  },
  durable: () => Promise.resolve(),
};
const deps = {
  clock: systemClock,
  log: silentLog,
  metrics: noMetrics,
  links: createModbusLinks({ clock: systemClock }),
};
for (let unit = 1; unit <= units; unit++) {
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: `bench-${unit}`,
    host: '127.0.0.1',
    port,
    unit,
    connection: 'shared',
    pollMs: 10,
    timeoutMs: 10_000,
    tags: Array.from({ length: blocks * blockRegisters }, (_, address) => ({
      name: `tag-${address}`,
      address,
      type: 'uint16',
    })),
  });
  void createModbusSource(config, deps)
    .run(sink, new AbortController().signal)
    .catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
await pause(warmupMs);
const [before, startedAt, cpuBefore] = [readings, performance.now(), cpuMicros()];
await pause(measureMs);
const count = readings - before;
mark('end', {
  tagsPerSecond: (count * 1000) / (performance.now() - startedAt),
  cpuMicrosPerTag: (cpuMicros() - cpuBefore) / count,
  residentMB: residentMB(),
});
process.exit(0);
