// The source contract over simulated equipment in memory, on a virtual clock: a register ring, file records,
// and values without a stamp of their own.

import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { answerPdu } from '../../../lab/plant/pdu.ts';
import type { LogKind } from '../../../lab/plant/register-map.ts';
import { plantSources } from '../../../lab/plant/site.ts';
import { PlantUnit } from '../../../lab/plant/unit.ts';
import { type SourceHarness, sourceContract } from '../testing/source-contract.ts';
import { type ModbusSourceConfig, modbusRtuTcpSourceSchema, modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';
import { type Answerer, exceptionPdu, MemoryDevice, type WireFormat } from './testing/memory-device.ts';

const pollMs = 100;
const timeoutMs = 200;
const capacity = 40;

const equipment = [
  { name: 'a register ring', at: 0, log: 'ring' },
  { name: 'file records', at: 1, log: 'file-records' },
  { name: 'values that we stamp', at: 2, log: 'none' },
] as const satisfies readonly { name: string; at: number; log: LogKind }[];

for (const { name, at, log } of equipment) {
  sourceContract(`a Modbus source with ${name}`, async () => makeHarness(at, log, 'mbap'), {
    hasHistory: log !== 'none',
  });
}
sourceContract('a Modbus source on a serial line', async () => makeHarness(0, 'ring', 'rtu'));
for (const log of ['ring', 'file-records'] as const) {
  sourceContract(`a Modbus source ordered by the record numbers of its ${log}`, async () =>
    makeHarness(log === 'ring' ? 0 : 1, log, 'mbap', { index: 'sequence' }),
  );
}

function makeHarness(at: number, log: LogKind, wire: WireFormat, more: object = {}): SourceHarness {
  const clock = new VirtualClock();
  const unit = new PlantUnit({ id: at + 1, name: 'unit', seed: 3, log, capacity });
  const plain: Answerer = ({ pdu }) => {
    const out = Buffer.alloc(256);
    return { pdu: out.subarray(0, answerPdu(unit, pdu, out, 0)) };
  };
  const device = new MemoryDevice(clock, plain, wire);
  // The log has wrapped around: most of what it ever held is gone.
  for (let sample = 0; sample < 3 * capacity; sample++)
    unit.scan(clock.now() - (3 * capacity - sample) * pollMs);
  const config = configOf(at, wire, more);
  const source = createModbusSource(config, {
    clock,
    log: silentLog,
    metrics: noMetrics,
    links: device.links(),
  });
  return {
    source,
    lossLimitMs: 4 * (pollMs + timeoutMs),
    async produce(samples) {
      for (let sample = 0; sample < samples; sample++) {
        unit.scan(clock.now());
        await clock.advance(pollMs);
      }
      // On a line a poll is reported once it has been quiet for a while.
      if (wire === 'rtu') await clock.advance(30);
    },
    advance: (ms) => clock.advance(ms),
    cut() {
      device.isReachable = false;
      device.cut();
    },
    heal() {
      device.isReachable = true;
      device.answer = plain;
    },
    mischief: mischiefOf(device, plain),
    async dispose() {
      device.cut();
    },
  };
}

function configOf(at: number, wire: WireFormat, more: object): ModbusSourceConfig {
  const units = Object.fromEntries([1, 2, 3].map((id) => [id, { name: '', log: 'ring' as const, capacity }]));
  const site = plantSources({ host: 'memory', port: 502, units }, { pollMs, timeoutMs });
  const source: Record<string, unknown> = { ...site[at], ...more };
  // This log has lost its first records, so where it began proves nothing.
  if (source.history) source.history = { ...(source.history as object), firstRecord: undefined };
  if (wire === 'mbap') return modbusTcpSourceSchema.parse(source);
  return modbusRtuTcpSourceSchema.parse({ ...source, type: 'modbus-rtu-tcp', gapMs: 1, turnaroundMs: 5 });
}

function mischiefOf(device: MemoryDevice, plain: Answerer) {
  const random = seededRandom(11);
  const misbehave = (name: string, answer: Answerer) => ({
    name,
    begin() {
      device.answer = answer;
    },
  });
  const pduOf = (answer: ReturnType<Answerer>) => (answer as { pdu: Buffer }).pdu;
  return [
    misbehave('silence', () => 'silence'),
    misbehave('closing without an answer', () => 'close'),
    misbehave('answers that come too late', (request) => ({
      afterMs: timeoutMs + 50,
      answer: plain(request),
    })),
    misbehave('an answer after the connection is gone', (request) => {
      device.cut();
      return plain(request);
    }),
    ...[1, 2, 3, 4, 6, 11, 200].map((code) =>
      misbehave(`exception ${code}`, ({ pdu }) => ({ pdu: exceptionPdu(pdu[0]!, code) })),
    ),
    ...Object.entries(spoilers).map(([kind, spoil]) =>
      misbehave(`garbage: ${kind}`, (request) => ({
        raw: spoil(device.frame(request, pduOf(plain(request))), random),
      })),
    ),
    {
      name: 'a reset in the middle of an answer',
      begin() {
        device.answer = (request) => {
          setImmediate(() => device.cut());
          return { raw: device.frame(request, pduOf(plain(request))).subarray(0, 9) };
        };
      },
    },
  ];
}

/** What bad gateways and noise make of an answer. */
const spoilers: Readonly<Record<string, (frame: Buffer, random: Random) => Buffer>> = {
  'another transaction': (bytes) => change(bytes, 1),
  'another unit': (bytes) => change(bytes, 6),
  'another function': (bytes) => change(bytes, 7),
  'another byte count': (bytes) => change(bytes, 8),
  'a longer length': (bytes) => change(bytes, 5),
  'another protocol': (bytes) => change(bytes, 3),
  'half an answer': (bytes) => bytes.subarray(0, bytes.length >> 1),
  'an answer twice': (bytes) => Buffer.concat([bytes, bytes]),
  noise: (_bytes, random) =>
    Buffer.from(Array.from({ length: 1 + randomInt(random, 300) }, () => randomInt(random, 256))),
};

function change(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at]! + 1) & 0xff;
  return bytes;
}
