// Every value that a source reports from a serial line is the one that the unit had in that register, when it was asked:
// whatever comes late, twice, from others, or out of noise.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusRtuTcpSourceSchema } from './config.ts';
import { createModbusLinks } from './link.ts';
import { createModbusSource } from './modbus-source.ts';
import { type BusFaults, HostileBus, registerAt, tickMs } from './testing/hostile-bus.ts';

const timeoutMs = 200;
const addresses = [100, 200, 301, 402, 503, 604];

async function run(faults: BusFaults, seed: number, forMs: number, units = 1) {
  const clock = new VirtualClock();
  const bus = new HostileBus(clock, seededRandom(seed), faults);
  const links = createModbusLinks({ clock, openStream: async () => bus.open() });
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const sinks = Array.from({ length: units }, (_, at) => {
    const config = modbusRtuTcpSourceSchema.parse({
      type: 'modbus-rtu-tcp',
      name: `unit-${at + 1}`,
      host: 'line',
      port: 4001,
      unit: at + 1,
      pollMs: 500,
      timeoutMs,
      tags: addresses.map((address) => ({ name: `v${address}`, address, type: 'uint16' })),
      maxHole: 0,
    });
    const sink = new RecordingSink();
    const source = createModbusSource(config, { ...deps, links });
    superviseSource({ ...deps, name: config.name, source, sink, random: seededRandom(seed) }).start();
    return sink;
  });
  await clock.advance(forMs);
  return { clock, bus, sinks };
}

/** Readings whose value is not that of their register, or not of the time between request and answer. */
function wrong(sink: RecordingSink) {
  return sink.readings.filter(({ tag, value, index, quality }) => {
    if (quality !== 'good') return false;
    const address = Number(tag.slice(1));
    // A poll of six requests is reported at the time of its last answer.
    const oldest = index - addresses.length * timeoutMs;
    for (let at = oldest; at <= index + tickMs; at += tickMs)
      if (value === registerAt(address, at)) return false;
    return true;
  });
}

const plain: BusFaults = { slow: 0.02, lostRequest: 0.02, lostAnswer: 0.01, corrupted: 0.01, noise: 0.02 };

describe.each([1, 2, 3])('on a line with one master, seed %i', (seed) => {
  it.each<[string, BusFaults]>([
    ['late answers, lost ones, and noise', plain],
    ['the same, and an echo', { ...plain, isEchoing: true }],
    ['the same, and refusals that pass', { ...plain, exception: 0.02 }],
    ['the same, with units that do not answer a loopback', { ...plain, isMute: true }],
    ['answers said twice', { twice: 0.01 }],
    ['answers of others that hold whole frames', { ...plain, otherUnits: 0.1 }],
  ])('%s give no value to another register, and do not end the reading', async (name, faults) => {
    const { sinks, bus } = await run(faults, seed, 20 * 60_000);
    const [sink] = sinks;
    expect(wrong(sink!)).toEqual([]);
    expect(sink!.breaches()).toEqual([]);
    expect(bus.requests).toBeGreaterThan(2000);
    // Each of the 2400 polls has six requests, any of which may fail, and a failed one may end the session.
    expect(sink!.readings.length / addresses.length, name).toBeGreaterThan(faults.isMute ? 400 : 700);
  });
});

describe.each([4, 5])('on a line with another master, seed %i', (seed) => {
  it('whose requests are heard, no answer to them is taken', async () => {
    const { sinks } = await run({ otherMaster: 0.02 }, seed, 20 * 60_000);
    expect(wrong(sinks[0]!)).toEqual([]);
    expect(sinks[0]!.readings.length / addresses.length).toBeGreaterThan(800);
  });

  it('whose requests are not heard, no poll is reported that got one answer too many', async () => {
    const { sinks } = await run({ hiddenMaster: 0.02 }, seed, 20 * 60_000);
    expect(wrong(sinks[0]!)).toEqual([]);
    expect(sinks[0]!.readings.length / addresses.length).toBeGreaterThan(800);
  });
});

it('several units share a line, each with its own late answers', async () => {
  const { sinks } = await run(plain, 6, 20 * 60_000, 3);
  for (const sink of sinks) {
    expect(wrong(sink)).toEqual([]);
    expect(sink.readings.length / addresses.length).toBeGreaterThan(500);
  }
});
