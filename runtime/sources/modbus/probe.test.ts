// One look at a unit in memory: what is shown of each tag, and what a failure leaves visible.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { ProbedTag } from '../probe.ts';
import { modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';
import { createProbe } from './probe.ts';
import { type Answerer, exceptionPdu, MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const history = {
  kind: 'ring',
  newest: { address: 200 },
  capacity: 10,
  recordRegisters: 6,
  base: 300,
  firstRecord: 1,
};

function setUp(more: object, wrap: (plain: Answerer) => Answerer = (plain) => plain) {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  const device = new MemoryDevice(clock, wrap(registers.answer));
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: 'press',
    host: 'memory',
    timeoutMs: 200,
    tags: [
      { name: 'speed', address: 10, type: 'uint16', scale: 0.1 },
      { name: 'flow', address: 12, type: 'float32' },
      { name: 'gone', address: 14, type: 'uint16' },
      { name: 'count', address: 20, type: 'bcd16' },
      { name: 'door', table: 'coil', address: 5 },
    ],
    ...more,
  });
  const source = createModbusSource(config, {
    clock,
    log: silentLog,
    metrics: noMetrics,
    links: device.links(),
  });
  const abort = new AbortController();
  const found: ProbedTag[] = [];
  const ended = (async () => {
    for await (const tag of source.probe!(abort.signal)) found.push(tag);
  })().catch((error: unknown) => error);
  return { clock, registers, device, abort, found, ended };
}

const byName = (found: readonly ProbedTag[]) => Object.fromEntries(found.map((tag) => [tag.tag, tag]));

describe('a probe of a Modbus unit', () => {
  it('shows each tag with its value, its place and the registers it came in, then lets go', async () => {
    const { clock, registers, device, found, ended } = setUp({});
    registers.write('holding', 10, Buffer.from('00fd0000c0490fdb00070000', 'hex'));
    registers.words.holding[20] = 0x1a00;
    registers.words.coil[5] = 1;
    await clock.advance(10);
    expect(await ended).toBeUndefined();
    const { speed, flow, count, door } = byName(found);
    expect(speed).toMatchObject({
      place: 'holding 10',
      value: 25.3,
      quality: 'good',
      raw: { kind: 'registers', registers: [253] },
    });
    expect(flow).toMatchObject({ place: 'holding 12-13', raw: { registers: [0xc049, 0x0fdb] } });
    expect(flow?.value).toBeCloseTo(-Math.PI, 5);
    expect(count).toMatchObject({ value: null, quality: 'bad:not-bcd', problem: /another order/ });
    expect(door).toMatchObject({ place: 'coil 5', value: true, raw: { kind: 'bits', bits: [true] } });
    expect(device.connections).toBe(0);
  });

  it('goes on past what the device refuses, and says of each tag what it refused', async () => {
    const { clock, registers, found, ended } = setUp({});
    registers.refused = [[14, 19]];
    await clock.advance(10);
    expect(await ended).toBeUndefined();
    const { speed, flow, gone, count, door } = byName(found);
    expect([speed, flow, door].map((tag) => tag?.quality)).toEqual(['good', 'good', 'good']);
    expect(count?.quality).toBe('good');
    expect(gone).toMatchObject({ value: null, quality: 'bad:illegal-data-address' });
    expect(gone?.problem).toMatch(/refuses holding 14 .*count from 0/);
    expect(found).toHaveLength(5);
  });

  it('names the block that got no answer, where others did', async () => {
    const isCoil: Answerer = ({ pdu }) => (pdu[0] === 1 ? 'silence' : { pdu });
    const { clock, found, ended } = setUp({}, (plain) => (request) => {
      const special = isCoil(request);
      return special === 'silence' ? special : plain(request);
    });
    await clock.advance(500);
    expect(await ended).toBeUndefined();
    const { door, speed } = byName(found);
    expect(door).toMatchObject({ quality: 'bad:no-answer', tookMs: 200 });
    expect(door?.problem).toMatch(/got no answer within 200 ms/);
    expect(speed?.quality).toBe('good');
  });

  it.each<[string, Answerer, string]>([
    ['says nothing', () => 'silence', 'modbus-timeout'],
    ['closes', () => 'close', 'modbus-connection-lost'],
    [
      'is behind a gateway that misses it',
      ({ pdu }) => ({ pdu: exceptionPdu(pdu[0]!, 11) }),
      'modbus-exception',
    ],
  ])('fails as a whole where the unit %s', async (_what, answer, code) => {
    const { clock, device, ended } = setUp({}, () => answer);
    await clock.advance(8000);
    expect(await ended).toMatchObject({ code });
    expect(device.connections).toBe(0);
  });

  it('shows the sample time and what the event log holds', async () => {
    const stamp = { timestamp: { address: 0, type: 'uint64', unit: 'ms' }, number: { address: 4 } };
    const tags = [{ name: 'speed', address: 10, type: 'uint16' }];
    const layout = { timestamp: { offset: 0, type: 'uint64' }, tags: [{ name: 'speed', offset: 3 }] };
    const { clock, registers, found, ended } = setUp({ stamp, tags, history: { ...history, ...layout } });
    const at = Date.UTC(2026, 10, 21, 8);
    const time = Buffer.alloc(8);
    time.writeBigUInt64BE(BigInt(at));
    registers.write('holding', 0, time);
    registers.words.holding[5] = 3;
    registers.words.holding[201] = 3;
    // Record 3 of a ring of 10 from 300, 6 registers each: its time, then its number.
    registers.write('holding', 318, time);
    registers.words.holding[323] = 3;
    await clock.advance(10);
    expect(await ended).toBeUndefined();
    expect(found.map(({ tag }) => tag)).toEqual(['(stamp)', 'speed', '(history)']);
    expect(found[0]).toMatchObject({ value: 3, timestamp: at });
    expect(found[2]).toMatchObject({ value: 'records 1 to 3', timestamp: at });
  });

  it('ends at once when told to, with what it had', async () => {
    const { clock, device, abort, found, ended } = setUp(
      {},
      (plain) => (request) => (request.pdu[0] === 1 ? 'silence' : plain(request)),
    );
    await clock.advance(50);
    abort.abort(new Error('enough'));
    await clock.advance(0);
    expect(await ended).toMatchObject({ message: 'enough' });
    expect(found.length).toBeGreaterThan(0);
    expect(device.connections).toBe(0);
  });
});

it('a unit that answers no loopback is probed all the same: what it said is believed after a silence', async () => {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  registers.words.holding[0] = 17;
  const device = new MemoryDevice(
    clock,
    (request) => (request.pdu[0] === 8 ? 'silence' : registers.answer(request)),
    'rtu',
  );
  const shape = { name: 'unit', host: 'h', port: 4001, unit: 7 };
  const config = modbusRtuTcpSourceSchema.parse({
    type: 'modbus-rtu-tcp',
    ...shape,
    tags: [{ name: 'a', address: 0, type: 'uint16' }],
  });
  const probe = createProbe({ config, links: device.links(), clock });
  const found: ProbedTag[] = [];
  const ended = (async () => {
    for await (const tag of probe(new AbortController().signal)) found.push(tag);
  })();
  await clock.advance(20_000);
  await ended;
  expect(found).toMatchObject([{ tag: 'a', value: 17, quality: 'good' }]);
});
