import { describe, expect, it } from 'vitest';
import { modbusRtuSourceSchema, modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';

const good = {
  type: 'modbus-tcp',
  name: 'press',
  host: '10.0.0.5',
  stamp: { timestamp: { address: 0, type: 'uint64' }, number: { address: 4 } },
  tags: [
    { name: 'temperature', address: 6, type: 'float32' },
    { name: 'running', address: 16, type: 'bit', bit: 0 },
    { name: 'label', address: 18, type: 'string', length: 16 },
    { name: 'door', table: 'coil', address: 3 },
  ],
};
const ring = {
  kind: 'ring',
  newest: { address: 1000 },
  oldest: { address: 1002 },
  capacity: 2000,
  recordRegisters: 26,
  base: 2000,
  tags: [{ name: 'temperature', offset: 6 }],
};

/** `path: message` of each problem. */
function problems(input: unknown): readonly string[] {
  const result = modbusTcpSourceSchema.safeParse(input);
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the configuration of a Modbus source', () => {
  it('fills in the defaults', () => {
    const config = modbusTcpSourceSchema.parse(good);
    expect(config).toMatchObject({ port: 502, unit: 1, pollMs: 1000, timeoutMs: 1000, maxRegisters: 125 });
    expect(config.tags[0]).toMatchObject({ table: 'holding', order: 'ABCD' });
    expect(config.stamp).toMatchObject({
      timestamp: { table: 'holding', unit: 'ms' },
      number: { type: 'uint32' },
    });
  });

  it('takes a ring and file records', () => {
    expect(problems({ ...good, history: ring })).toEqual([]);
    const { base: _, ...rest } = ring;
    expect(problems({ ...good, history: { ...rest, kind: 'file-records', capacity: 100_000 } })).toEqual([]);
  });

  it.each([
    ['a missing host', { ...good, host: undefined }, /^host: /],
    ['an unknown setting', { ...good, pollsMs: 5 }, /unrecognized key: "pollsMs"/i],
    ['a Modicon address', tag({ address: 400_007 }), /^tags\.0\.address: .*count from 0.*40007 is address 6/],
    [
      'a wide value at the end',
      tag({ address: 65_535, type: 'float32' }),
      /^tags\.0\.address: 2 registers.*65535/,
    ],
    ['a missing type', tag({ type: undefined }), /^tags\.0\.type: is missing.*float32/],
    ['an unknown type', tag({ type: 'real' }), /^tags\.0\.type: must be one of int16/],
    ['an unknown order', tag({ order: 'big' }), /^tags\.0\.order: must be one of ABCD/],
    ['a bit beyond 15', tag({ type: 'bit', bit: 16 }), /^tags\.0\.bit: must be 0 to 15/],
    ['a bit without its number', tag({ type: 'bit' }), /^tags\.0\.bit: is missing/],
    ['a bit number on a number', tag({ bit: 3 }), /^tags\.0\.bit: is only for type: bit/],
    ['bool in registers', tag({ type: 'bool' }), /^tags\.0\.type: must be bit/],
    ['a number in a coil', tag({ table: 'coil' }), /^tags\.0\.type: must be bool/],
    ['a string without length', tag({ type: 'string' }), /^tags\.0\.length: is missing/],
    [
      'scaling a string',
      tag({ type: 'string', length: 4, scale: 2 }),
      /^tags\.0\.scale: is only for numbers/,
    ],
    ['a scale of zero', tag({ scale: 0 }), /^tags\.0\.scale: must not be 0/],
    ['names for a float', tag({ names: { 0: 'off' } }), /^tags\.0\.names: is only for whole numbers/],
    ['a name for no number', tag({ type: 'int16', names: { on: 'x' } }), /^tags\.0\.names\.on: /],
    [
      'a heartbeat without a deadband',
      tag({ heartbeatMs: 1000 }),
      /^tags\.0\.heartbeatMs: is only for tags with a deadband/,
    ],
    [
      'a deadband on a stamped sample',
      tag({ deadband: 1 }),
      /^tags\.0\.deadband: must be left out where the equipment stamps/,
    ],
    ['a pace of its own in a stamped sample', tag({ pollMs: 5000 }), /^tags\.0\.pollMs: must be left out/],
    [
      'writing an input register',
      tag({ table: 'input', writable: true }),
      /^tags\.0\.writable: .*input table can only be read/,
    ],
    ['a limit without leave to write', tag({ type: 'int16', max: 5 }), /^tags\.0\.max: .*writable/],
    [
      'limits without room',
      tag({ type: 'int16', writable: true, min: 6, max: 5 }),
      /^tags\.0\.max: .*at least min \(6\)/,
    ],
    [
      'a limit of names',
      tag({ type: 'int16', writable: true, min: 1, names: { 1: 'on' } }),
      /^tags\.0\.min: .*have names/,
    ],
    ['a read-back of nothing', tag({ type: 'int16', readBack: true }), /^tags\.0\.readBack: /],
    ['writing one bit', tag({ type: 'bit', bit: 1, writable: true }), /^tags\.0\.writable: .*whole register/],
    ['no tags', { ...good, tags: [] }, /^tags: must have at least one/],
    ['a name twice', tags({}, {}), /^tags\.1\.name: the name 't' is taken by tags\[0\]/],
    [
      'numbers that overlap',
      tags({}, { name: 'u', address: 7 }),
      /^tags\.1\.address: 'u' starts at 7, inside 't' \(6 to 7\)/,
    ],
    [
      'a number far from its timestamp',
      stamp({ number: { address: 130 } }),
      /^stamp\.number\.address: must lie within 125/,
    ],
    [
      'a number in another table',
      stamp({ number: { address: 4, table: 'input' } }),
      /^stamp\.number\.table: must be holding/,
    ],
    [
      'a timestamp beyond the end',
      stamp({ timestamp: { address: 65_533, type: 'uint64' }, number: undefined }),
      /^stamp\.timestamp\.address: reaches beyond/,
    ],
    [
      'an unknown kind of history',
      history({ kind: 'tape' }),
      /^history\.kind: must be ring .* or file-records/,
    ],
    ['a ring that is too long', history({ capacity: 2444 }), /^history\.capacity: .*at most 2443 fit/],
    [
      'a history tag that is not read',
      history({ tags: [{ name: 'x', offset: 0 }] }),
      /^history\.tags\.0\.name: 'x' is not among/,
    ],
    [
      'a history tag outside the record',
      history({ tags: [{ name: 'temperature', offset: 25 }] }),
      /^history\.tags\.0\.offset: covers registers 25 to 26 of a record that has 26/,
    ],
    [
      'a coil in a record',
      history({ tags: [{ name: 'door', offset: 2 }] }),
      /^history\.tags\.0\.type: must be given/,
    ],
    [
      'records of coils by default',
      history({ tags: undefined }),
      /^tags\.3: tag 'door' is not in the holding table.*list history\.tags/,
    ],
    [
      'a history without a time',
      { ...good, stamp: undefined, history: ring },
      /^history\.timestamp: is missing/,
    ],
    [
      'files that are too small',
      history({ kind: 'file-records', base: undefined, registersPerFile: 20 }),
      /^history\.recordRegisters: must be at most registersPerFile/,
    ],
  ])('refuses %s', (_name, input, expected) => {
    const found = problems(input);
    expect(
      found.some((problem) => expected.test(problem)),
      found.join('\n'),
    ).toBe(true);
  });

  it('takes RTU on a serial port and over TCP', () => {
    const { host: _, ...rest } = good;
    const serial = modbusRtuSourceSchema.parse({
      ...rest,
      type: 'modbus-rtu',
      path: '/dev/serial/by-id/usb-1',
    });
    expect(serial).toMatchObject({
      baudRate: 9600,
      dataBits: 8,
      parity: 'even',
      stopBits: 1,
      turnaroundMs: 100,
    });
    expect(modbusRtuTcpSourceSchema.safeParse({ ...good, type: 'modbus-rtu-tcp', port: 4001 }).success).toBe(
      true,
    );
    expect(modbusRtuTcpSourceSchema.safeParse({ ...good, type: 'modbus-rtu-tcp' }).success).toBe(false);
  });

  it('allows one register to be read in several ways', () => {
    expect(
      problems(tags({ type: 'uint16' }, { name: 'b', type: 'bit', bit: 2 }, { name: 'c', type: 'int16' })),
    ).toEqual([]);
    expect(problems(tags({ name: 'a', type: 'uint32' }, { name: 'b', type: 'float32' }))).toEqual([]);
  });

  it('lists the problems of all tags at once', () => {
    const found = problems(tags({ type: 'bit' }, { name: 'u', scale: 0 }, { name: 'v', type: undefined }));
    expect(found.map((problem) => problem.split(':')[0])).toEqual([
      'tags.0.bit',
      'tags.1.scale',
      'tags.2.type',
    ]);
  });
});

function tag(change: object) {
  return tags(change);
}

function tags(...changes: readonly object[]) {
  const base = { name: 't', address: 6, type: 'float32' };
  return { ...good, tags: changes.map((change) => ({ ...base, ...change })) };
}

function stamp(change: object) {
  return { ...good, stamp: { ...good.stamp, ...change } };
}

function history(change: object) {
  return { ...good, history: { ...ring, ...change } };
}
