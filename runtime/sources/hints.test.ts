// Whatever is said of equipment that behaves oddly: a setting that a message names is one that the source has.
import { describe, expect, it } from 'vitest';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { modbusRtuSourceSchema, modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './modbus/config.ts';
import { createModbusSource } from './modbus/modbus-source.ts';
import {
  type DeviceAnswer,
  type DeviceRequest,
  frame,
  MemoryDevice,
  rtuFrame,
} from './modbus/testing/memory-device.ts';
import { RegisterDevice } from './modbus/testing/register-device.ts';
import { serialSourceSchema } from './serial/config.ts';
import { createSerialSource } from './serial/serial-source.ts';
import { MemoryLine } from './serial/testing/memory-line.ts';
import type { Source } from './source.ts';
import { superviseSource } from './supervisor.ts';
import { RecordingSink } from './testing/recording-sink.ts';

/** Settings that one kind of these sources has and another has not. */
const settings: Readonly<Record<string, unknown>> = {
  unitId: 'ignore',
  transactionId: 'ignore',
  frameLength: 'ignore',
  connectDelayMs: 100,
  timeoutMs: 1000,
  gapMs: 5,
  turnaroundMs: 5,
  maxRegisters: 10,
  baudRate: 9600,
  dataBits: 7,
  parity: 'even',
  stopBits: 1,
  framing: { kind: 'start-end' },
  ignore: [':A'],
  between: '<NUL>',
  expectEveryMs: 5000,
  checksum: { kind: 'lrc', at: -1, from: 0, to: -1 },
};

interface Kind {
  readonly name: string;
  readonly shape: object;
  readonly schema: { safeParse(value: unknown): { success: boolean } };
}

/** What was said: reasons of sessions that ended, warnings, complaints. */
async function said(make: (deps: object) => Source, clock: VirtualClock, act: () => Promise<void>) {
  const texts: string[] = [];
  const note = (_fields: object, message: string) => void texts.push(message);
  const log = { error: note, warn: note, info: note, debug: note, child: () => log };
  const deps = { clock, log, metrics: noMetrics };
  const source = make(deps);
  const sink = new RecordingSink();
  const supervised = superviseSource({
    ...deps,
    log,
    name: 'x',
    source,
    sink,
    random: seededRandom(1),
  } as never);
  supervised.start();
  await act();
  texts.push(source.complaint?.() ?? '', supervised.state().lastError?.message ?? '');
  await supervised.stop();
  return texts;
}

/** Settings that are named, as a word of their own, and that the source does not have. */
function unknownIn(text: string, { shape, schema }: Kind): string[] {
  // The value of a setting, and plain words.
  const named = text.replace(/: ignore\b/g, ': x').replace(/\b(parity|checksum|framing)\b(?!: )/g, '');
  return Object.entries(settings)
    .filter(([key]) => new RegExp(`\\b${key}\\b`).test(named))
    .filter(([key, value]) => !schema.safeParse({ ...shape, [key]: value }).success)
    .map(([key]) => key);
}

const tags = [0, 500].map((address) => ({ name: `r${address}`, address, type: 'uint16' }));
const modbusKinds: readonly (Kind & { readonly wire: 'mbap' | 'rtu' })[] = [
  {
    name: 'modbus-tcp',
    wire: 'mbap',
    schema: modbusTcpSourceSchema,
    shape: { type: 'modbus-tcp', host: 'h' },
  },
  {
    name: 'modbus-tcp, shared',
    wire: 'mbap',
    schema: modbusTcpSourceSchema,
    shape: { type: 'modbus-tcp', host: 'h', connection: 'shared' },
  },
  {
    name: 'modbus-rtu-tcp',
    wire: 'rtu',
    schema: modbusRtuTcpSourceSchema,
    shape: { type: 'modbus-rtu-tcp', host: 'h', port: 4001 },
  },
  {
    name: 'modbus-rtu',
    wire: 'rtu',
    schema: modbusRtuSourceSchema,
    shape: { type: 'modbus-rtu', path: '/dev/x' },
  },
].map(
  (kind) =>
    ({ ...kind, shape: { name: 'x', tags, ...kind.shape } }) as Kind & { readonly wire: 'mbap' | 'rtu' },
);

type Odd = (request: DeviceRequest, answer: Buffer, wire: 'mbap' | 'rtu') => DeviceAnswer;
const framed = (request: DeviceRequest, pdu: Buffer, wire: 'mbap' | 'rtu') =>
  wire === 'mbap' ? frame(request, pdu) : rtuFrame(request.unit, pdu);
const oddities: Readonly<Record<string, Odd>> = {
  silence: () => 'silence',
  'another unit': (request, pdu, wire) => ({ raw: framed({ ...request, unit: 99 }, pdu, wire) }),
  'another number': (request, pdu, wire) => ({ raw: framed({ ...request, transaction: 0 }, pdu, wire) }),
  'a wrong length': (request, pdu, wire) => {
    const raw = framed(request, pdu, wire);
    raw[5]! += 1;
    return { raw };
  },
  'half of it': (request, pdu, wire) => ({ raw: framed(request, pdu, wire).subarray(0, 7) }),
  'more than that': (request, pdu, wire) => ({
    raw: Buffer.concat([framed(request, pdu, wire), Buffer.from([1, 2])]),
  }),
  'less than was asked': (_request, pdu) => ({ pdu: pdu.subarray(0, 1) }),
  'another function': (_request, pdu) => ({ pdu: Buffer.from([pdu[0]! ^ 7, ...pdu.subarray(1)]) }),
  text: () => ({ raw: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') }),
  'a close': () => 'close',
  'an answer and a close': (_request, pdu) => ({ pdu, thenClose: true }),
  'a late answer': (_request, pdu) => ({ afterMs: 1500, answer: { pdu } }),
  'the answer twice': (request, pdu, wire) => {
    const raw = framed(request, pdu, wire);
    return { raw: Buffer.concat([raw, raw]) };
  },
};

describe.each(modbusKinds)('$name', (kind) => {
  it.each(Object.entries(oddities))('%s', async (_what, odd) => {
    const clock = new VirtualClock();
    const registers = new RegisterDevice();
    const device = new MemoryDevice(
      clock,
      (request) => {
        const answer = registers.answer(request) as { readonly pdu: Buffer };
        return odd(request, answer.pdu, kind.wire);
      },
      kind.wire,
    );
    const config = (kind.schema as typeof modbusTcpSourceSchema).parse(kind.shape);
    const make = (deps: object) => createModbusSource(config, { ...deps, links: device.links() } as never);
    const texts = await said(make, clock, () => clock.advance(60_000));
    for (const text of texts) expect(unknownIn(text, kind), text).toEqual([]);
  });
});

const high = (text: string) =>
  Buffer.from([...Buffer.from(text)].map((byte) => byte | 0x80)).toString('latin1');
const serialLines: Readonly<Record<string, string>> = {
  nothing: '',
  'lines that end otherwise': 'W 728 kg\r',
  '7 bits read as 8': high('W 728 kg\r\n'),
  'a wrong speed': '\x80\xf8\x1e\xe0\xc3\xff\x9b\x00\xe6\xfe',
  'other lines': 'Hello\r\n',
  'STX and ETX': '\x02W 728 kg\x03',
};

describe.each([{ path: '/dev/x' }, { host: 'h', port: 4001 }])('serial, at %j', (where) => {
  const shape = {
    name: 'x',
    type: 'serial',
    ...where,
    fields: { pattern: '^W (?<w>[0-9]+) kg' },
    tags: [{ name: 'w' }],
  };
  const kind: Kind = { name: 'serial', shape, schema: serialSourceSchema };
  it.each(
    Object.entries(serialLines).flatMap(([what, line]) =>
      [{}, { expectEveryMs: 5000 }, { poll: { command: 'S\\r', everyMs: 1000 } }].map(
        (change) => [what, JSON.stringify(change), line, change] as const,
      ),
    ),
  )('%s, with %s', async (_what, _how, line, change) => {
    const clock = new VirtualClock();
    const memory = new MemoryLine(clock, (_bytes, self) => 'poll' in change && self.say(line, 5));
    const config = serialSourceSchema.parse({ ...shape, ...change });
    const make = (deps: object) =>
      createSerialSource(config, { ...deps, openStream: memory.openStream } as never);
    const texts = await said(make, clock, async () => {
      for (let at = 0; at < 45; at++) {
        if (!('poll' in change)) memory.say(line);
        await clock.advance(1000);
      }
    });
    for (const text of texts)
      expect(unknownIn(text, { ...kind, shape: { ...shape, ...change } }), text).toEqual([]);
  });
});

it('a setting that another type has would be found', () => {
  const [tcp, , line] = modbusKinds;
  expect(unknownIn('set unitId: ignore', tcp!)).toEqual([]);
  expect(unknownIn('set unitId: ignore', line!)).toEqual(['unitId']);
  expect(unknownIn('is baudRate right', tcp!)).toEqual(['baudRate']);
});
