// A site of units with the habits of real ones, on lines and on connections of their own, for so long by a clock of its own.
// Units that share nothing are run one after the other: they could not harm each other.
import { silentLog } from '../../../kernel/log.ts';
import { type Metrics, noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import {
  type ModbusSourceConfig,
  modbusRtuTcpSourceSchema,
  modbusTcpSourceSchema,
} from '../../../runtime/sources/modbus/config.ts';
import { createModbusLinks } from '../../../runtime/sources/modbus/link.ts';
import { createModbusSource } from '../../../runtime/sources/modbus/modbus-source.ts';
import type { SourceSink } from '../../../runtime/sources/source.ts';
import { superviseSource } from '../../../runtime/sources/supervisor.ts';
import type { Reading } from '../../../wire/reading.ts';
import { childSettings, mark } from '../harness/child.ts';
import { places, type Quirks, QuirkyStream, secondsApart, wordOf } from './quirky-unit.ts';

export interface QuirkySettings {
  readonly units: number;
  readonly unitsOfALine: number;
  readonly pollMs: number;
  /** What is learned meanwhile is not measured. */
  readonly warmupMs: number;
  readonly measureMs: number;
}

interface Kind {
  readonly quirks: Quirks;
  /** What the site writes because of them. */
  readonly settings?: object;
}

const ofTcp: readonly Kind[] = [
  { quirks: {} },
  { quirks: { deafMs: 1500, closesIdleMs: 60_000 } },
  { quirks: { closesAfterAnswer: true } },
  { quirks: { closesIdleMs: 2000 } },
  { quirks: { gapMs: 350 }, settings: { gapMs: 350 } },
  { quirks: { transactionId: 0 }, settings: { transactionId: 'ignore' } },
  { quirks: { unitId: 0 }, settings: { unitId: 'ignore' } },
  { quirks: { lengthError: 1 }, settings: { frameLength: 'ignore' } },
  { quirks: { mute: places.muteOrRefused } },
  { quirks: { refused: places.muteOrRefused, maxRegisters: 8 } },
];
const ofALine: readonly Kind[] = [
  { quirks: {} },
  { quirks: { refused: places.muteOrRefused } },
  { quirks: { maxRegisters: 8 } },
  { quirks: { mute: places.muteOrRefused } },
];

const { units, unitsOfALine, pollMs, warmupMs, measureMs } = childSettings<QuirkySettings>();
const found = { readings: 0, wrong: 0, breaks: 0, silent: 0, apart: [] as number[], late: [] as number[] };
let isMeasuring = false;
/** When polls were sent, against when they were due: what the module itself says of it. */
const metrics: Metrics = {
  ...noMetrics,
  gauge(name, value) {
    if (isMeasuring && name === 'holdfast_modbus_poll_lateness_seconds') found.late.push(1000 * value);
  },
};

/** Holds each reading against what the unit had. */
class Judge implements SourceSink {
  readings = 0;
  readonly #clock: VirtualClock;
  readonly #unit: number;
  #lastAt: number | undefined;

  constructor(clock: VirtualClock, unit: number) {
    this.#clock = clock;
    this.#unit = unit;
  }

  emit(event: Parameters<SourceSink['emit']>[0]): boolean {
    if (!isMeasuring) return true;
    if (event.kind === 'broken') found.breaks += 1;
    if (event.kind !== 'readings') return true;
    const now = this.#clock.monotonic();
    if (this.#lastAt !== undefined) found.apart.push(Math.abs(now - this.#lastAt - pollMs));
    this.#lastAt = now;
    for (const reading of event.readings) {
      if (reading.quality === 'good') this.readings += 1;
      if (reading.quality === 'good' && !this.#isRight(reading)) found.wrong += 1;
    }
    found.readings += event.readings.length;
    return true;
  }

  durable(): Promise<void> {
    return Promise.resolve();
  }

  #isRight({ tag, value }: Reading): boolean {
    const now = this.#clock.now();
    if (tag === 'second') return secondsApart(Number(value), now) <= 2;
    const address = places[tag as keyof typeof places];
    const word = wordOf(this.#unit, address, now);
    return value === (tag === 'scaled' ? word / 10 : word);
  }
}

const onLines = Math.floor(units * 0.6);
for (let first = 0; first < onLines; first += unitsOfALine) {
  const line = first / unitsOfALine;
  const echo = line % 3 === 0 ? ({ hasEcho: true } as const) : {};
  const kinds = Array.from({ length: Math.min(unitsOfALine, onLines - first) }, (_, at): Kind => {
    const kind = ofALine[at % ofALine.length]!;
    return { ...kind, quirks: { ...kind.quirks, ...echo } };
  });
  await runTogether(kinds, true);
}
for (let at = 0; at < units - onLines; at++) await runTogether([ofTcp[at % ofTcp.length]!], false);

const late = spreadOf(found.late);
const apart = spreadOf(found.apart);
mark('end', {
  units,
  readings: found.readings,
  wrong: found.wrong,
  breaks: found.breaks,
  silent: found.silent,
  p99Ms: late.p99,
  maxMs: late.most,
  apartP99Ms: apart.p99,
  apartMaxMs: apart.most,
});
process.exit(0);

function spreadOf(values: readonly number[]): { readonly p99: number; readonly most: number } {
  const sorted = Float64Array.from(values).sort();
  const p99 = sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))] ?? Number.NaN;
  return { p99, most: sorted.at(-1) ?? Number.NaN };
}

/** Units on one line, or one alone. */
async function runTogether(kinds: readonly Kind[], isLine: boolean): Promise<void> {
  const clock = new VirtualClock();
  const numbers = new Map(kinds.map(({ quirks }, at) => [at + 1, quirks]));
  const links = createModbusLinks({
    clock,
    openStream: async () => new QuirkyStream(clock, numbers, isLine),
  });
  const deps = { clock, log: silentLog, metrics };
  const judges = kinds.map(({ settings = {} }, at) => {
    const config = configOf(at + 1, settings, isLine);
    const judge = new Judge(clock, config.unit);
    const source = createModbusSource(config, { ...deps, links });
    superviseSource({ ...deps, name: config.name, source, sink: judge, random: seededRandom(at) }).start();
    return judge;
  });
  await clock.advance(warmupMs);
  isMeasuring = true;
  await clock.advance(measureMs);
  isMeasuring = false;
  for (const judge of judges) if (judge.readings === 0) found.silent += 1;
}

function configOf(unit: number, settings: object, isLine: boolean): ModbusSourceConfig {
  const tag = (name: keyof typeof places, more: object = {}) => ({
    name,
    address: places[name],
    type: 'uint16',
    ...more,
  });
  const tags = [
    tag('place'),
    tag('second'),
    tag('muteOrRefused'),
    tag('far'),
    tag('scaled', { scaleFrom: places.power }),
  ];
  const common = { name: `unit-${unit}`, host: 'h', unit, pollMs, timeoutMs: 500, tags, ...settings };
  return isLine
    ? modbusRtuTcpSourceSchema.parse({ type: 'modbus-rtu-tcp', port: 4001, ...common })
    : modbusTcpSourceSchema.parse({ type: 'modbus-tcp', ...common });
}
