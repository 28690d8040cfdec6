// Many devices at once, each with a connection of its own, polled each second under their supervisors. How far the time
// between two polls of a device is from what it should be is the jitter.
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { systemRandom } from '../../../kernel/random.ts';
import { modbusTcpSourceSchema } from '../../../runtime/sources/modbus/config.ts';
import { createModbusLinks } from '../../../runtime/sources/modbus/link.ts';
import { createModbusSource } from '../../../runtime/sources/modbus/modbus-source.ts';
import type { SourceSink } from '../../../runtime/sources/source.ts';
import { superviseSource } from '../../../runtime/sources/supervisor.ts';
import { childSettings, mark } from '../harness/child.ts';
import { raisePriority } from '../harness/priority.ts';
import { cpuMicros, residentMB } from '../harness/usage.ts';

export interface FleetSettings {
  readonly port: number;
  readonly devices: number;
  readonly tagsEach: number;
  readonly pollMs: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

raisePriority();
const { port, devices, tagsEach, pollMs, warmupMs, measureMs } = childSettings<FleetSettings>();
const deps = { clock: systemClock, log: silentLog, metrics: noMetrics };
const links = createModbusLinks({ clock: systemClock });
let isMeasuring = false;
let readings = 0;
let breaks = 0;
const errors: number[] = [];

function sinkOf(): SourceSink {
  let last: number | undefined;
  return {
    emit(event) {
      if (event.kind === 'broken') breaks += Number(isMeasuring);
      if (event.kind !== 'readings') return true;
      const now = performance.now();
      if (isMeasuring) {
        readings += event.readings.length;
        if (last !== undefined) errors.push(Math.abs(now - last - pollMs));
      }
      last = now;
      return true;
    },
    durable: () => Promise.resolve(),
  };
}

for (let device = 0; device < devices; device++) {
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: `device-${device}`,
    host: '127.0.0.1',
    port,
    unit: (device % 247) + 1,
    pollMs,
    tags: Array.from({ length: tagsEach }, (_, tag) => ({
      name: `tag-${tag}`,
      address: 2 * tag,
      type: 'float32',
    })),
  });
  const source = createModbusSource(config, { ...deps, links });
  superviseSource({ ...deps, name: config.name, source, sink: sinkOf(), random: systemRandom }).start();
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
await pause(warmupMs);
isMeasuring = true;
const [startedAt, cpuBefore] = [performance.now(), cpuMicros()];
await pause(measureMs);
isMeasuring = false;
const seconds = (performance.now() - startedAt) / 1000;
const sorted = Float64Array.from(errors).sort();
const quantile = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
mark('end', {
  tagsPerSecond: readings / seconds,
  cpuMicrosPerTag: (cpuMicros() - cpuBefore) / readings,
  cpuShare: (cpuMicros() - cpuBefore) / (seconds * 1e6),
  jitterP50Ms: quantile(0.5),
  jitterP99Ms: quantile(0.99),
  jitterMaxMs: quantile(1),
  breaks,
  residentMB: residentMB(),
});
process.exit(0);
