// The product's Modbus source on the same registers: poll after poll without a pause, into a sink that counts.
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { modbusTcpSourceSchema } from '../../../runtime/sources/modbus/config.ts';
import { createModbusSource } from '../../../runtime/sources/modbus/modbus-source.ts';
import type { SourceSink } from '../../../runtime/sources/source.ts';
import { childSettings, mark } from '../harness/child.ts';
import { cpuMicros, residentMB } from '../harness/usage.ts';
import { blockRegisters, blocks, type LoopSettings } from './loop.ts';

const { port, warmupMs, measureMs } = childSettings<LoopSettings>();
const config = modbusTcpSourceSchema.parse({
  type: 'modbus-tcp',
  name: 'bench',
  host: '127.0.0.1',
  port,
  // Shorter than a poll takes: the next begins at once.
  pollMs: 10,
  timeoutMs: 10_000,
  tags: Array.from({ length: blocks * blockRegisters }, (_, address) => ({
    name: `tag-${address}`,
    address,
    type: 'uint16',
  })),
});
let readings = 0;
const sink: SourceSink = {
  emit(event) {
    if (event.kind === 'readings') readings += event.readings.length;
  },
  durable: () => Promise.resolve(),
};
const source = createModbusSource(config, { clock: systemClock, log: silentLog, metrics: noMetrics });
void source.run(sink, new AbortController().signal).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
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
