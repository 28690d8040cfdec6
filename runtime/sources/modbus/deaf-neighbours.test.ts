// Units on one line of which some do not answer: those that do are polled when they are due, and it is said who took the line.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { createModbusLinks } from './link.ts';
import { createModbusSource } from './modbus-source.ts';
import { exceptionPdu, MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const answerMs = 20;

type Way = 'a line' | 'a gateway';

function setUp(way: Way, { deaf = [2, 3], pollMs = 500, units = [1, 2, 3] } = {}) {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  const silent = new Set(deaf);
  const slow = new Map<number, number>();
  const device = new MemoryDevice(
    clock,
    (request) => {
      if (silent.has(request.unit)) return 'silence';
      const answer = request.pdu[0] === 8 ? { pdu: exceptionPdu(8, 1) } : registers.answer(request);
      return { afterMs: slow.get(request.unit) ?? answerMs, answer };
    },
    way === 'a line' ? 'rtu' : 'mbap',
  );
  const links = createModbusLinks({ clock, openStream: device.openStream });
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const made = units.map((unit) => {
    const tags = [0, 500].map((address) => ({ name: `r${address}`, address, type: 'uint16' }));
    const shape = { name: `unit-${unit}`, host: 'h', port: 4001, unit, pollMs, tags };
    const config =
      way === 'a line'
        ? modbusRtuTcpSourceSchema.parse({ type: 'modbus-rtu-tcp', ...shape })
        : modbusTcpSourceSchema.parse({ type: 'modbus-tcp', connection: 'shared', ...shape });
    const sink = new RecordingSink();
    const source = createModbusSource(config, { ...deps, links });
    const random = seededRandom(unit);
    const supervised = superviseSource({ ...deps, name: config.name, source, sink, random });
    supervised.start();
    return { sink, supervised };
  });
  return { clock, silent, slow, made };
}

describe.each<Way>(['a line', 'a gateway'])('on %s', (way) => {
  it('a unit that answers has no more than one hole a minute beside two that do not', async () => {
    const { clock, made } = setUp(way);
    const { sink } = made[0]!;
    await clock.advance(15_000);
    const [breaks, readings] = [sink.of('broken').length, sink.readings.length];
    await clock.advance(600_000);
    expect(sink.of('broken').length - breaks).toBeLessThanOrEqual(13);
    expect(sink.readings.length - readings).toBeGreaterThan(2 * 1150);
  });

  it('it is said which units took the line', async () => {
    const { clock, made } = setUp(way);
    await clock.advance(60_000);
    const { complaint } = made[0]!.supervised.state();
    expect(complaint).toMatch(
      /line's time was taken by .*unit-2 \(unit 2, \d+ %\), unit-3 \(unit 3, \d+ %\)/,
    );
  });

  it.each([
    ['as quickly as others', answerMs],
    ['so slowly that only a whole time limit shows it', 800],
  ])('a unit that answers at last, %s, is found', async (_how, tookMs) => {
    const { clock, silent, slow, made } = setUp(way);
    await clock.advance(60_000);
    silent.delete(2);
    slow.set(2, tookMs);
    await clock.advance(300_000);
    expect(made[1]!.sink.readings.length).toBeGreaterThan(10);
  });

  it('a unit that is lost for a while costs its neighbour no more than a hole or two', async () => {
    const { clock, silent, made } = setUp(way, { deaf: [] });
    await clock.advance(30_000);
    const { sink } = made[0]!;
    const breaks = sink.of('broken').length;
    silent.add(2);
    await clock.advance(40_000);
    expect(sink.of('broken').length - breaks).toBeLessThanOrEqual(3);
    silent.delete(2);
    const before = made[1]!.sink.readings.length;
    await clock.advance(60_000);
    expect(made[1]!.sink.readings.length).toBeGreaterThan(before + 40);
  });

  it('units without an answer are looked for in turns, though none of the line is ever free', async () => {
    const { clock, silent, made } = setUp(way, { pollMs: 50 });
    await clock.advance(60_000);
    silent.clear();
    await clock.advance(300_000);
    for (const { sink } of made) expect(sink.readings.length).toBeGreaterThan(100);
  });
});
