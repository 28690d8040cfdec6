// Each profile against an exchange with such a device, byte for byte as its documentation has it.
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { loadValue } from '../../config/load.ts';
import type { ModbusSourceConfig } from '../modbus/config.ts';
import { createModbusSource } from '../modbus/modbus-source.ts';
import { MemoryDevice } from '../modbus/testing/memory-device.ts';
import { RegisterDevice } from '../modbus/testing/register-device.ts';
import type { SerialSourceConfig } from '../serial/config.ts';
import { createSerialSource } from '../serial/serial-source.ts';
import { MemoryLine } from '../serial/testing/memory-line.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { profileNames } from './config.ts';

const base = { dataFolder: '/data/holdfast' };
const deps = { log: silentLog, metrics: noMetrics };

async function sourceOf(source: object) {
  const { config } = await loadValue({ ...base, sources: [{ name: 'device', ...source }] }, 'test');
  return config.sources[0]!;
}

/** The last value of each tag, `quality` where there is none. */
function shown(sink: RecordingSink): Record<string, unknown> {
  return Object.fromEntries(
    sink.readings.map(({ tag, value, quality }) => [tag, quality === 'good' ? value : quality]),
  );
}

async function readModbus(
  profile: unknown,
  fill: (registers: RegisterDevice) => void,
  ...changes: ((registers: RegisterDevice, turn: number) => void)[]
) {
  const config = (await sourceOf({ type: 'modbus-tcp', host: 'h', profile })) as ModbusSourceConfig;
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  fill(registers);
  const device = new MemoryDevice(clock, registers.answer);
  const sink = new RecordingSink();
  const stop = new AbortController();
  const source = createModbusSource(config, { ...deps, clock, links: device.links() });
  const ended = source.run(sink, stop.signal);
  await clock.advance(100);
  for (const change of changes)
    for (const turn of [1, 2]) {
      change(registers, turn);
      await clock.advance(1000);
    }
  stop.abort();
  await ended;
  return { values: shown(sink), requests: device.requests.length, complaint: source.complaint?.(), sink };
}

async function readSerial(profile: string, say: string | Buffer, more: object = {}) {
  const config = (await sourceOf({ type: 'serial', path: '/dev/x', profile, ...more })) as SerialSourceConfig;
  const clock = new VirtualClock();
  const heard: string[] = [];
  const line = new MemoryLine(clock, (bytes, self) => {
    heard.push(bytes.toString('latin1'));
    self.say(say, 5);
  });
  const sink = new RecordingSink();
  const stop = new AbortController();
  const source = createSerialSource(config, { ...deps, clock, openStream: line.openStream });
  const ended = source.run(sink, stop.signal).catch((error: unknown) => error);
  await clock.advance(10);
  if (!config.poll)
    for (let at = 0; at < 3; at++) {
      line.say(say);
      await clock.advance(1000);
    }
  await clock.advance(3000);
  stop.abort();
  await ended;
  return { values: shown(sink), heard, breaks: sink.of('broken'), complaint: source.complaint?.() };
}

const words = (registers: RegisterDevice, at: number, list: readonly number[]) =>
  registers.words.holding.set(list, at);
const textAt = (registers: RegisterDevice, at: number, text: string) =>
  registers.write('holding', at, Buffer.from(text));

describe('SunSpec', () => {
  it('sunspec-1: the common model', async () => {
    const { values, requests } = await readModbus('sunspec-1', (registers) => {
      words(registers, 40_002, [1, 66]);
      textAt(registers, 40_004, 'ACME');
      textAt(registers, 40_020, 'Sun 8000');
      textAt(registers, 40_052, 'SN-0815 ');
    });
    expect(values).toMatchObject({ manufacturer: 'ACME', model: 'Sun 8000', options: 'bad:not-implemented' });
    expect(requests).toBe(1);
  });

  const none = 0x8000;
  const inverter = (registers: RegisterDevice, id: number, at = 40_069) =>
    words(registers, at, [
      ...[id, 50, 1050, 350, 351, 349, 0xfffe, 0xffff, 0xffff, 0xffff, 2301, 2302, 2303, 0xffff],
      ...[721, 1, 49_987, 0xfffd, 722, 1, 0xfff6, 0, 99, 0, 0x0012, 0xd687, 0, 105, 0xffff, 7012, 0xffff],
      ...[735, 1, 415, none, none, none, 0xffff, 4, 0xffff, 0, 0],
    ]);

  it.each([
    [101, ['A']],
    [102, ['A', 'B']],
    [103, ['A', 'B', 'C']],
  ])('sunspec-%d: an inverter', async (id, phases) => {
    const { values, requests } = await readModbus(`sunspec-${id}`, (registers) => inverter(registers, id));
    expect(values).toMatchObject({
      current: 10.5,
      'current-A': 3.5,
      'voltage-A': 230.1,
      power: 7210,
      frequency: 49.987,
      'reactive-power': -10,
      energy: 1_234_567,
      'dc-voltage': 701.2,
      'cabinet-temperature': 41.5,
      'heat-sink-temperature': 'bad:not-implemented',
      state: 'mppt',
    });
    expect(Object.keys(values).filter((tag) => tag.startsWith('voltage-'))).toHaveLength(phases.length);
    expect(requests).toBe(1);
  });

  it('an inverter whose model lies elsewhere is read there, with the tags that the site wants, beside others', async () => {
    const profile = [
      { use: 'sunspec-103', at: 50_071, prefix: 'inverter.', only: ['power', 'state'] },
      { use: 'sunspec-1', at: 50_002, only: ['model'] },
    ];
    const { values } = await readModbus(profile, (registers) => {
      inverter(registers, 103, 50_071);
      words(registers, 50_002, [1, 65]);
      textAt(registers, 50_020, 'Sun 8000');
    });
    expect(values).toEqual({ 'inverter.power': 7210, 'inverter.state': 'mppt', model: 'Sun 8000' });
  });

  it('sunspec-160: the inputs of an inverter', async () => {
    const { values } = await readModbus('sunspec-160', (registers) => {
      words(registers, 40_121, [160, 48, 0xfffe, 0xffff, 0, 0, 0, 0, 2, 0]);
      words(registers, 40_140, [512, 3508, 1796, 0, 90_000 & 0xffff, 0, 0, 41, 4]);
      words(registers, 40_160, [0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0, 0, none, 2]);
    });
    expect(values).toMatchObject({
      'input-1.current': 5.12,
      'input-1.voltage': 350.8,
      'input-1.power': 1796,
      'input-1.temperature': 41,
      'input-1.state': 'mppt',
      'input-2.current': 'bad:not-implemented',
      'input-2.state': 'sleeping',
    });
  });

  it('sunspec-160: what lies behind a model with one input is not its second', async () => {
    const { values } = await readModbus('sunspec-160', (registers) => {
      words(registers, 40_121, [160, 28, 0xfffe, 0xffff, 0, 0, 0, 0, 1, 0]);
      words(registers, 40_140, [512, 3508, 1796, 0, 90_000 & 0xffff, 0, 0, 41, 4]);
      words(registers, 40_151, [802, 62, 200, 10_240, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    });
    expect(values).toMatchObject({
      'input-1.power': 1796,
      'input-2.power': 'bad:not-implemented',
      'input-2.state': 'bad:not-implemented',
    });
  });

  it.each<[string, (registers: RegisterDevice) => void, RegExp]>([
    ['another model', (registers) => inverter(registers, 101), /at holding 40069 stand 101 and 50 /],
    ['the model one register on', (registers) => inverter(registers, 103, 40_070), /stand 0 and 103 /],
    [
      'a model of another length',
      (registers) => {
        inverter(registers, 103);
        registers.words.holding[40_070] = 60;
      },
      /stand 103 and 60 .*SunSpec model 103 \(50 registers\)/,
    ],
  ])('where %s stands none of its values is believed, and it is said', async (_what, fill, said) => {
    const profile = [{ use: 'sunspec-103' }, { use: 'sunspec-1', only: ['model'] }];
    const { values, complaint } = await readModbus(profile, (registers) => {
      fill(registers);
      words(registers, 40_002, [1, 65]);
      textAt(registers, 40_020, 'Sun 8000');
    });
    const { model, ...others } = values;
    expect(model).toBe('Sun 8000');
    expect(new Set(Object.values(others))).toEqual(new Set(['bad:wrong-model']));
    expect(complaint).toMatch(said);
  });

  it('a model that moves is noticed in the poll that reads it, and again when it is back', async () => {
    const profile = { use: 'sunspec-103', only: ['power'] };
    const { values, complaint, sink } = await readModbus(
      profile,
      (registers) => inverter(registers, 103),
      (registers, turn) => {
        registers.words.holding.fill(0);
        inverter(registers, 103, turn === 1 ? 40_070 : 40_069);
      },
    );
    expect(sink.readings.map(({ value, quality }) => value ?? quality)).toEqual([
      7210,
      'bad:wrong-model',
      7210,
    ]);
    expect(values).toEqual({ power: 7210 });
    expect(complaint).toBeUndefined();
  });

  it('sunspec-802: a battery', async () => {
    const { values } = await readModbus('sunspec-802', (registers) => {
      const model = new Array<number>(64).fill(0xffff);
      Object.assign(model, {
        0: 802,
        1: 62,
        2: 200,
        3: 10_240,
        11: 873,
        13: 99,
        14: 0,
        15: 321,
        16: 4,
        22: 3,
      });
      Object.assign(model, { 26: 0, 27: 0, 34: 5213, 44: 0xff38, 47: none, 52: 0, 53: 0, 56: 0xffff, 58: 0 });
      Object.assign(model, { 59: 0xfffe, 61: 0xffff, 63: none });
      words(registers, 40_121, model);
    });
    expect(values).toMatchObject({
      'rated-energy': 10_240,
      'state-of-charge': 87.3,
      'state-of-health': 99,
      cycles: 321,
      'charge-state': 'charging',
      state: 'connected',
      voltage: 52.13,
      current: -20,
      power: 'bad:not-implemented',
    });
  });
});

it('energy-meter: floats in input registers', async () => {
  const { values, requests } = await readModbus('energy-meter', ({ words: tables }) => {
    const float = (at: number, value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeFloatBE(value);
      tables.input.set([bytes.readUInt16BE(0), bytes.readUInt16BE(2)], at);
    };
    for (const [at, value] of [
      [0, 230.5],
      [12, 1500],
      [52, 4500],
      [70, 50],
      [72, 1234.5],
    ] as const)
      float(at, value);
  });
  expect(values).toMatchObject({
    'voltage-L1': 230.5,
    'power-L1': 1500,
    power: 4500,
    'energy-import': 1234.5,
  });
  expect(requests).toBe(1);
});

describe('serial instruments', () => {
  it('ve-direct: text blocks, with lines of the other protocol between them', async () => {
    const text =
      '\r\nPID\t0xA042\r\nFW\t156\r\nSER#\tHQ2132\r\nV\t12800\r\nI\t-150\r\nVPV\t18540\r\nPPV\t5\r\nCS\t3\r\nMPPT\t2\r\nERR\t0\r\nH19\t1503\r\nH20\t12\r\nHSDS\t17\r\nChecksum\t';
    const sum = [...Buffer.from(text)].reduce((all, byte) => (all + byte) & 0xff, 0);
    const block = `${text}${String.fromCharCode((256 - sum) & 0xff)}:A0002000148\n`;
    const { values, breaks, complaint } = await readSerial('ve-direct', block);
    expect(values).toEqual({
      'battery-voltage': 12.8,
      'battery-current': -0.15,
      'panel-voltage': 18.54,
      'panel-power': 5,
      state: 'bulk',
      error: 0,
      yield: 15.03,
      'yield-today': 0.12,
    });
    expect([breaks, complaint]).toEqual([[], undefined]);
  });

  it.each([
    ['between its blocks', ''],
    ['amid a block as well', ':A0102000543\n'],
  ])(
    've-direct: a battery monitor says two blocks, with lines of the other protocol %s',
    async (_where, amid) => {
      const summed = (text: string, inserted: string, before: string) => {
        const whole = `${text}\r\nChecksum\t`;
        const sum = [...Buffer.from(whole)].reduce((all, byte) => (all + byte) & 0xff, 0);
        return `${whole.replace(before, `${inserted}${before}`)}${String.fromCharCode((256 - sum) & 0xff)}`;
      };
      const first =
        '\r\nPID\t0x203\r\nV\t26201\r\nI\t-1500\r\nP\t-39\r\nCE\t-12000\r\nSOC\t876\r\nTTG\t-1\r\nAlarm\tOFF\r\nBMV\t702\r\nFW\t0307';
      const second = '\r\nH1\t-85\r\nH2\t-12\r\nH18\t2041';
      const said = `${summed(first, amid, '\r\nCE')}:A0002000148\n${summed(second, amid, '\r\nH2')}`;
      const { values, breaks, complaint } = await readSerial('ve-direct', said);
      expect(values).toEqual({
        'battery-voltage': 26.201,
        'battery-current': -1.5,
        'battery-power': -39,
        consumed: -12,
        'state-of-charge': expect.closeTo(87.6),
        'time-to-go': 'bad:endless',
      });
      expect([breaks, complaint]).toEqual([[], undefined]);
    },
  );

  it('dsmr-p1: a telegram with its CRC', async () => {
    // The example of the P1 companion standard 5.0.2, section 6.12, shortened, with a CRC of its own.
    const body =
      '/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(101209113020W)\r\n1-0:1.8.1(123456.789*kWh)\r\n1-0:1.8.2(123456.789*kWh)\r\n1-0:2.8.1(000001.000*kWh)\r\n1-0:2.8.2(000002.000*kWh)\r\n0-0:96.14.0(0002)\r\n1-0:1.7.0(01.193*kW)\r\n1-0:2.7.0(00.000*kW)\r\n1-0:32.7.0(220.1*V)\r\n1-0:31.7.0(001*A)\r\n!';
    let crc = 0;
    for (const byte of Buffer.from(body)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
    }
    const telegram = `${body}${crc.toString(16).toUpperCase().padStart(4, '0')}\r\n`;
    const { values, breaks, complaint } = await readSerial('dsmr-p1', telegram);
    expect(values).toMatchObject({
      'energy-import-1': 123_456.789,
      'energy-export-2': 2,
      'power-import': 1.193,
      'power-export': 0,
      'voltage-L1': 220.1,
      'current-L1': 1,
    });
    expect([breaks, complaint]).toEqual([[], undefined]);
  });

  it('iec62056-21: sign-on, and the data with their block check', async () => {
    const data = '0.0.0(12345678)\r\n1.8.0(0012345.6*kWh)\r\n2.8.0(0000042.0*kWh)\r\n!\r\n\x03';
    const bcc = [...Buffer.from(data)].reduce((all, byte) => all ^ byte, 0);
    const answer = `/ISk5MT174-0001\r\n\x02${data}${String.fromCharCode(bcc)}`;
    const { values, heard, complaint } = await readSerial('iec62056-21', answer);
    expect(heard[0]).toBe('/?!\r\n');
    expect(values).toEqual({ 'energy-import': 12_345.6, 'energy-export': 42 });
    expect(complaint).toBeUndefined();
  });

  it.each([
    ['mettler-sics', 'S S     100.00 g\r\n', 'SI\r\n', { weight: 100, state: 'stable', unit: 'g' }],
    ['mettler-sics', 'S D      -1.5 kg\r\n', 'SI\r\n', { weight: -1.5, state: 'moving', unit: 'kg' }],
    ['mettler-sics', 'S +\r\n', 'SI\r\n', { weight: 'bad:over-range' }],
    ['sartorius', '+   123.56 g  \r\n', '\x1bP\r\n', { weight: 123.56, unit: 'g' }],
    ['sartorius', 'N     -     1.2345 g  \r\n', '\x1bP\r\n', { weight: -1.2345, unit: 'g' }],
    ['sartorius', 'Stat       High       \r\n', '\x1bP\r\n', { weight: 'bad:over-range' }],
    ['kern', '     12.345 g \r\n', 'w\r\n', { weight: 12.345, unit: 'g' }],
    ['kern', '-     0.02 kg \r\n', 'w\r\n', { weight: -0.02, unit: 'kg' }],
    ['kern', '      Error   \r\n', 'w\r\n', { weight: 'bad:over-range' }],
  ])('%s: %j', async (profile, answer, command, expected) => {
    const { values, heard } = await readSerial(profile, answer);
    expect(heard[0]).toBe(command);
    expect(values).toMatchObject(expected);
  });

  const sentence = (body: string) => {
    const sum = [...Buffer.from(body)].reduce((all, byte) => all ^ byte, 0);
    return `$${body}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`;
  };

  it('nmea-0183: a receiver and a weather station on one line', async () => {
    const { values, breaks } = await readSerial(
      'nmea-0183',
      sentence('GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W') +
        sentence('GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,') +
        sentence('GPGSV,1,1,00') +
        sentence('WIMWV,214.8,R,0.1,K,A') +
        sentence('WIMWV,120.0,T,9.5,K,A'),
    );
    expect(values).toEqual({
      speed: 22.4,
      course: 84.4,
      satellites: 8,
      altitude: 545.4,
      'wind-angle': 214.8,
      'wind-speed': 0.1,
      'true-wind-angle': 120,
      'true-wind-speed': 9.5,
      'wind-unit': 'km/h',
    });
    expect(breaks.length).toBeLessThanOrEqual(1);
  });

  it('nmea-0183: a receiver of several systems, with a fix and without', async () => {
    const fix = [
      'GNRMC,123519.00,A,4807.0,N,01131.0,E,0.4,,230394,,,A',
      'GNGGA,123519.00,4807.0,N,01131.0,E,2,12,0.6,0.0,M,46.9,M,,',
    ];
    const none = [
      'GNRMC,123519.00,V,4807.0,N,01131.0,E,0.4,1.0,230394,,,N',
      'GNGGA,123519.00,4807.0,N,01131.0,E,0,03,9.9,545.4,M,46.9,M,,',
    ];
    const say = (bodies: readonly string[]) => bodies.map(sentence).join('');
    expect((await readSerial('nmea-0183', say(fix))).values).toEqual({
      speed: 0.4,
      course: 'bad:not-a-number',
      satellites: 12,
      altitude: 0,
    });
    expect((await readSerial('nmea-0183', say(none))).values).toEqual({
      speed: 'bad:no-fix',
      course: 'bad:no-fix',
      satellites: 3,
      altitude: 'bad:no-fix',
    });
    expect((await readSerial('nmea-0183', say(['WIMWV,214.8,R,0.1,K,V']))).values).toEqual({
      'wind-angle': 'bad:invalid',
      'wind-speed': 'bad:invalid',
    });
  });
});

describe('a profile in a configuration', () => {
  const problemsOf = async (source: object) =>
    sourceOf(source).then(
      () => [],
      (error: { problems: readonly { path: string; message: string }[] }) => error.problems,
    );

  it('leaves what the site says itself', async () => {
    const own = { name: 'power', address: 52, table: 'input', type: 'float32', deadband: 5 };
    const source = (await sourceOf({
      type: 'modbus-tcp',
      host: 'h',
      profile: 'energy-meter',
      maxRegisters: 40,
      tags: [own],
    })) as ModbusSourceConfig;
    expect(source.maxRegisters).toBe(40);
    expect(source.tags.filter(({ name }) => name === 'power')).toMatchObject([{ deadband: 5 }]);
    expect(source.tags.length).toBeGreaterThan(10);
  });

  it('is asked at the pace of the site', async () => {
    const { poll } = (await sourceOf({
      type: 'serial',
      path: '/dev/x',
      profile: 'mettler-sics',
      poll: { everyMs: 7000 },
    })) as { poll: object };
    expect(poll).toMatchObject({ command: 'SI\\r\\n', everyMs: 7000 });
  });

  it('leaves the settings of the port to a serial server', async () => {
    const source = await sourceOf({ type: 'serial', host: 'h', port: 4001, profile: 'mettler-sics' });
    expect(source).not.toHaveProperty('baudRate');
  });

  it('says what is wrong, and which there are', async () => {
    const [unknown] = await problemsOf({ type: 'serial', path: '/dev/x', profile: 'sunspec' });
    expect(unknown).toMatchObject({ path: 'sources[0].profile' });
    for (const name of profileNames) expect(unknown!.message).toContain(name);
    const [misfit] = await problemsOf({ type: 'opcua', endpoint: 'opc.tcp://h:1', profile: 'kern' });
    expect(misfit!.message).toContain('is for serial, not for opcua');
    const only = { use: 'kern', only: ['mass'] };
    const [missing] = await problemsOf({ type: 'serial', path: '/dev/x', profile: only });
    expect(missing!.message).toContain("no tag 'mass'; it has: weight, unit");
    const [file] = await problemsOf({ type: 'serial', path: '/dev/x', profile: '/nowhere/profile.yaml' });
    expect(file!.message).toContain('/nowhere/profile.yaml cannot be read');
  });

  it('fits at least one kind of source each, without a tag of the site', async () => {
    for (const profile of profileNames) {
      const serial = { type: 'serial', path: '/dev/x' };
      const modbus = { type: 'modbus-tcp', host: 'h' };
      const fits = await Promise.all(
        [serial, modbus].map(async (where) => problemsOf({ ...where, profile })),
      );
      expect(
        fits.some((problems) => problems.length === 0),
        profile,
      ).toBe(true);
    }
  });
});
