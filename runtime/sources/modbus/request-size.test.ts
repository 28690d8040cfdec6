// Devices that give less in one request than the protocol allows, and do not say so by exception 2 or 3: each in its way.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { passingStore } from '../learned.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';
import { RequestSize } from './request-size.ts';
import {
  type DeviceAnswer,
  type DeviceRequest,
  exceptionPdu,
  MemoryDevice,
} from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const most = 20;
type Way = 4 | 6 | 'closes' | 'short' | 'silence';

function setUp(way: Way, { isLine = false, tags = 100, everyth = 1, learned = passingStore() } = {}) {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  for (let at = 0; at < 200; at++) registers.words.holding[at] = 1000 + at;
  const unit = { isSmall: true, asked: [] as number[] };
  const tooLarge = (request: DeviceRequest): DeviceAnswer => {
    if (way === 'closes') return 'close';
    if (way === 'silence') return 'silence';
    if (way === 'short') {
      const { pdu } = registers.answer(request) as { readonly pdu: Buffer };
      return { pdu: Buffer.concat([Buffer.from([3, 2 * most]), pdu.subarray(2, 2 + 2 * most)]) };
    }
    return { pdu: exceptionPdu(3, way) };
  };
  const device = new MemoryDevice(
    clock,
    (request) => {
      const count = request.pdu[0] === 3 ? request.pdu.readUInt16BE(3) : 0;
      if (count > 0) unit.asked.push(count);
      return {
        afterMs: 5,
        answer: unit.isSmall && count > most ? tooLarge(request) : registers.answer(request),
      };
    },
    isLine ? 'rtu' : 'mbap',
  );
  const shape = {
    name: 'unit',
    host: 'h',
    timeoutMs: 200,
    tags: Array.from({ length: tags }, (_, at) => ({
      name: `r${at * everyth}`,
      address: at * everyth,
      type: 'uint16',
    })),
  };
  const config = isLine
    ? modbusRtuTcpSourceSchema.parse({ type: 'modbus-rtu-tcp', port: 4001, ...shape })
    : modbusTcpSourceSchema.parse({ type: 'modbus-tcp', ...shape });
  const deps = { clock, log: silentLog, metrics: noMetrics };
  const sink = new RecordingSink();
  const source = createModbusSource(config, { ...deps, links: device.links(), learned });
  superviseSource({ ...deps, name: 'unit', source, sink, random: seededRandom(1) }).start();
  const wrong = () =>
    sink.readings.filter(
      ({ tag, value, quality }) => quality !== 'good' || value !== 1000 + Number(tag.slice(1)),
    );
  return { clock, registers, device, unit, sink, learned, wrong };
}

const ways: readonly Way[] = [4, 6, 'closes', 'short', 'silence'];

describe.each(ways)('a device that answers too large a request thus: %s', (way) => {
  it.each([false, true])('is read, and asked for less from then on; on a line: %s', async (isLine) => {
    const { clock, unit, sink, learned, wrong } = setUp(way, { isLine });
    await clock.advance(180_000);
    expect(learned.get().maxRegisters).toBeGreaterThan(most / 2 - 1);
    expect(learned.get().maxRegisters).toBeLessThanOrEqual(most);
    unit.asked.length = 0;
    const breaks = sink.of('broken').length;
    const readings = sink.readings.length;
    await clock.advance(60_000);
    expect(sink.readings.length - readings).toBeGreaterThan(100 * 55);
    expect(wrong()).toEqual([]);
    expect(sink.of('broken')).toHaveLength(breaks);
    expect(Math.max(...unit.asked)).toBeLessThanOrEqual(most);
  });

  it.each([false, true])('is read over no hole any more; on a line: %s', async (isLine) => {
    const { clock, unit, sink, wrong } = setUp(way, { isLine, tags: 2, everyth: most + 5 });
    await clock.advance(60_000);
    unit.asked.length = 0;
    const [before, breaks] = [sink.readings.length, sink.of('broken').length];
    await clock.advance(60_000);
    expect(sink.readings.length - before).toBeGreaterThanOrEqual(2 * 59);
    expect(wrong().filter(({ quality }) => quality === 'good')).toEqual([]);
    expect(sink.of('broken')).toHaveLength(breaks);
    expect(Math.max(...unit.asked)).toBe(1);
  });

  it('is asked for all again once it gives it', async () => {
    const { clock, unit, learned, wrong } = setUp(way);
    await clock.advance(180_000);
    unit.isSmall = false;
    await clock.advance(1_500_000);
    expect(learned.get().maxRegisters).toBeUndefined();
    expect(Math.max(...unit.asked.slice(-5))).toBe(100);
    expect(wrong()).toEqual([]);
  });

  it('is known by the next process from its first request on', async () => {
    const first = setUp(way);
    await first.clock.advance(180_000);
    const { clock, unit, sink, wrong } = setUp(way, { learned: first.learned });
    await clock.advance(5000);
    expect(Math.max(...unit.asked)).toBeLessThanOrEqual(most);
    expect(sink.readings.length).toBeGreaterThan(300);
    expect(wrong()).toEqual([]);
  });
});

it.each([4, 6] as const)(
  'a register that alone is answered with exception %i takes no other along',
  async (refusal) => {
    const { clock, registers, unit, sink, learned } = setUp(refusal);
    unit.isSmall = false;
    Object.assign(registers, { refused: [[17, 17]], refusal });
    await clock.advance(60_000);
    const last = sink.readings.slice(-100);
    expect(last.filter(({ quality }) => quality !== 'good').map(({ tag }) => tag)).toEqual(['r17']);
    expect(learned.get().maxRegisters).toBeUndefined();
  },
);

it('a device that is busy for a while is no small one', async () => {
  const { clock, device, registers, unit, learned, sink } = setUp(6);
  unit.isSmall = false;
  const { answer } = device;
  await clock.advance(10_000);
  device.answer = ({ pdu }) => ({ pdu: exceptionPdu(pdu[0]!, 6) });
  await clock.advance(20_000);
  device.answer = answer;
  const before = sink.readings.length;
  await clock.advance(60_000);
  expect(sink.readings.length - before).toBeGreaterThan(100 * 30);
  expect(learned.get().maxRegisters).toBeUndefined();
  expect(registers.words.holding[3]).toBe(1003);
});

describe('values beside a stamp or a number', () => {
  it('are not read in two because of what may be a passing failure: they would be of two records', () => {
    const size = new RequestSize(
      { maxRegisters: 125, widest: 2, retryMs: 1000, learned: undefined, isRecord: true },
      0,
    );
    expect(size.isWorthASearch(0)).toBe(false);
    const block = { table: 'holding', address: 0, count: 10, items: [] } as const;
    for (let at = 0; at < 10; at++) expect(size.wasDeadly(block, at)).toBe(false);
    expect(size.maxRegisters).toBe(125);
  });
});
