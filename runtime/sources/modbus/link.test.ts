import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { settle, VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusRtuSourceSchema, modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { createModbusLinks } from './link.ts';
import { createModbusSource } from './modbus-source.ts';
import { MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const tags = [{ name: 'a', address: 0, type: 'uint16' }];
const lineConfig = (unit: number, change: object = {}) =>
  modbusRtuTcpSourceSchema.parse({
    type: 'modbus-rtu-tcp',
    name: `unit-${unit}`,
    host: 'line',
    port: 4001,
    unit,
    pollMs: 100,
    timeoutMs: 50,
    turnaroundMs: 10,
    gapMs: 1,
    tags,
    ...change,
  });
const tcpConfig = (name: string, change: object = {}) =>
  modbusTcpSourceSchema.parse({ type: 'modbus-tcp', name, host: 'gateway', tags, ...change });

function setUp(wire: 'rtu' | 'mbap' = 'rtu') {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  const silent = new Set<number>();
  const device = new MemoryDevice(
    clock,
    (request) => (silent.has(request.unit) ? 'silence' : registers.answer(request)),
    wire,
  );
  const links = device.links();
  return { clock, registers, device, links, silent, signal: new AbortController().signal };
}

describe('links', () => {
  it('of units on one line share one connection, which the last one closes', async () => {
    const { device, links, signal } = setUp();
    const [first, second] = await Promise.all([
      links.acquire(lineConfig(1), signal),
      links.acquire(lineConfig(2), signal),
    ]);
    expect(device.connections).toBe(1);
    expect(first.turns).toBe(second.turns);
    first.release();
    first.release();
    await settle();
    expect(device.connections).toBe(1);
    second.release();
    await settle();
    expect(device.connections).toBe(0);
  });

  it('of Modbus TCP have their own connection unless they are told to share', async () => {
    const { device, links, signal } = setUp('mbap');
    await links.acquire(tcpConfig('a'), signal);
    await links.acquire(tcpConfig('b'), signal);
    expect(device.connections).toBe(2);
    await links.acquire(tcpConfig('c', { connection: 'shared' }), signal);
    await links.acquire(tcpConfig('d', { connection: 'shared' }), signal);
    expect(device.connections).toBe(3);
    await links.acquire(tcpConfig('e', { connection: 'shared', port: 503 }), signal);
    expect(device.connections).toBe(4);
  });

  it('are made anew once a shared connection is lost, for all', async () => {
    const { device, links, signal } = setUp();
    const old = await links.acquire(lineConfig(1), signal);
    device.cut();
    await settle();
    expect(old.client.lost?.code).toBe('modbus-connection-lost');
    const fresh = await links.acquire(lineConfig(1), signal);
    expect(fresh.client.lost).toBeUndefined();
    old.release();
    expect(fresh.client.lost).toBeUndefined();
    expect(await links.acquire(lineConfig(2), signal)).toMatchObject({ turns: fresh.turns });
  });

  it('fail for all who wait when the connection cannot be made, and can be tried again', async () => {
    const { device, links, signal } = setUp();
    device.isReachable = false;
    const attempts = await Promise.allSettled([
      links.acquire(lineConfig(1), signal),
      links.acquire(lineConfig(2), signal),
    ]);
    for (const attempt of attempts)
      expect(attempt).toMatchObject({ reason: { code: 'modbus-connect-failed' } });
    device.isReachable = true;
    await links.acquire(lineConfig(1), signal);
    expect(device.connections).toBe(1);
  });

  it('wait for a unit that answered while it was looked for as long as ever, and not only as long as that look', async () => {
    const { clock, links, silent, signal } = setUp();
    const link = await links.acquire(lineConfig(1), signal);
    const tookMs = async () => {
      const begun = clock.monotonic();
      let ended = Number.NaN;
      const asked = link.client.readRegisters(1, 'holding', 0, 1).then(
        () => {},
        () => {},
      );
      void asked.then(() => {
        ended = clock.monotonic();
      });
      for (let ms = 0; ms < 2000 && Number.isNaN(ended); ms++) await clock.advance(1);
      return ended - begun;
    };
    link.look = { from: clock.monotonic(), until: clock.monotonic() };
    silent.add(1);
    expect(await tookMs()).toBeLessThan(50);
    await clock.advance(1000);
    silent.clear();
    link.look = { from: clock.monotonic(), until: clock.monotonic() };
    await tookMs();
    silent.add(1);
    await tookMs();
    // It is not alive any more, and yet it was there.
    expect(await tookMs()).toBeGreaterThanOrEqual(50);
  });

  it('are given up by one without disturbing another that waits for the same connection', async () => {
    let open: (() => void) | undefined;
    const clock = new VirtualClock();
    const device = new MemoryDevice(clock, () => 'silence', 'rtu');
    const links = createModbusLinks({
      clock,
      openStream: async (_config, _clock, signal) => {
        await new Promise<void>((resolve) => {
          open = resolve;
        });
        signal.throwIfAborted();
        return device.open();
      },
    });
    const abort = new AbortController();
    const impatient = links.acquire(lineConfig(1), abort.signal);
    const patient = links.acquire(lineConfig(2), new AbortController().signal);
    abort.abort(new Error('enough'));
    await expect(impatient).rejects.toThrow('enough');
    open!();
    expect((await patient).client.lost).toBeUndefined();
  });

  it('refuse a line to sources that disagree about its settings', async () => {
    const { links, signal } = setUp();
    const serial = (change: object) =>
      modbusRtuSourceSchema.parse({ type: 'modbus-rtu', name: 'x', path: '/dev/ttyUSB0', tags, ...change });
    await links.acquire(serial({}), signal);
    await expect(links.acquire(serial({ baudRate: 19_200 }), signal)).rejects.toMatchObject({
      code: 'modbus-line-mismatch',
    });
    await links.acquire(serial({ unit: 9 }), signal);
  });
});

describe('units on one line', () => {
  function supervise(links: ReturnType<MemoryDevice['links']>, clock: VirtualClock, unit: number) {
    const sink = new RecordingSink();
    const deps = { clock, log: silentLog, metrics: noMetrics };
    const source = createModbusSource(lineConfig(unit), { ...deps, links });
    const supervised = superviseSource({
      ...deps,
      name: `unit-${unit}`,
      source,
      sink,
      random: seededRandom(unit),
    });
    supervised.start();
    return { sink, supervised };
  }

  it('are read in turns; a dead one is asked ever less often and does not break its neighbours', async () => {
    const { clock, device, links, silent } = setUp();
    silent.add(9);
    const [alive, dead] = [supervise(links, clock, 1), supervise(links, clock, 9)];
    await clock.advance(120_000);
    const asked = (from: number) => device.requests.slice(from).filter(({ unit }) => unit === 9).length;
    expect(asked(0)).toBeLessThan(15);
    expect(alive.sink.readings.length).toBeGreaterThan(1150);
    expect(alive.sink.of('broken')).toEqual([]);
    expect(dead.supervised.state().lastError?.code).toBe('modbus-timeout');
    silent.clear();
    await clock.advance(31_000);
    expect(dead.sink.readings.length).toBeGreaterThan(0);
    await Promise.all([alive.supervised.stop(), dead.supervised.stop()]);
    await settle();
    expect(device.connections).toBe(0);
  });

  it('all come back after the line was cut', async () => {
    const { clock, device, links } = setUp();
    const units = [supervise(links, clock, 1), supervise(links, clock, 2)];
    await clock.advance(1000);
    device.isReachable = false;
    device.cut();
    await clock.advance(5000);
    device.isReachable = true;
    await clock.advance(10_000);
    for (const { sink, supervised } of units) {
      expect(supervised.state()).toMatchObject({ phase: 'connected' });
      expect(sink.of('broken')).toMatchObject([{ reason: 'modbus-connection-lost' }]);
      expect(sink.breaches()).toEqual([]);
    }
    expect(device.connections).toBe(1);
    for (const { supervised } of units) await supervised.stop();
  });
});
