// The habits of the plant, over real sockets, and a source that reads it all the same.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { systemRandom } from '../../kernel/random.ts';
import {
  type ModbusSourceConfig,
  modbusRtuTcpSourceSchema,
  modbusTcpSourceSchema,
} from '../../runtime/sources/modbus/config.ts';
import { createModbusSource } from '../../runtime/sources/modbus/modbus-source.ts';
import { superviseSource } from '../../runtime/sources/supervisor.ts';
import { RecordingSink } from '../../runtime/sources/testing/recording-sink.ts';
import { type Plant, startPlant } from './plant.ts';

let plant: Plant;
beforeAll(async () => {
  plant = await startPlant({ seed: 5, scanMs: 100, serial: { port: 0 } });
});
afterAll(() => plant.stop());
afterEach(() => plant.setFaults({ units: null, serialEcho: null }));

const far = 100;
const tags = [
  { name: 'label', address: 18, type: 'string', length: 16 },
  { name: 'setpoint', address: far, type: 'uint16' },
];
const common = { name: 'meter', host: '127.0.0.1', pollMs: 200, timeoutMs: 300, tags };

it.each([
  ['deaf at first', { deafMs: 700 }, {}],
  ['closing after each answer', { closesAfterAnswer: true }, {}],
  ['losing its first two requests', { losesFirst: 2 }, {}],
  ['closing after three answers', { closesAfterAnswers: 3 }, {}],
  ['closing amid each seventh answer', { cutsEvery: 7 }, {}],
  ['with zeros behind its answers', { strayBytes: 2 }, { frameLength: 'ignore' }],
  ['closing when idle', { closesIdleMs: 60 }, {}],
  ['in need of time', { gapMs: 120 }, { gapMs: 150 }],
  ['with no transaction', { transactionId: 0 }, { transactionId: 'ignore' }],
  ['with another unit', { unitId: 0 }, { unitId: 'ignore' }],
  ['miscounting', { lengthError: 1 }, { frameLength: 'ignore' }],
])('a unit that is %s is read', async (_habit, habits, settings) => {
  await plant.setFaults({ units: { 3: { habits } } });
  await isRead(
    modbusTcpSourceSchema.parse({
      ...{ type: 'modbus-tcp', port: plant.info.port, unit: 3 },
      ...common,
      ...settings,
    }),
  );
});

it.each([
  ['deaf at first', { units: { 12: { habits: { deafMs: 700 } } } }, {}],
  ['losing its first two requests', { units: { 12: { habits: { losesFirst: 2 } } } }, {}],
  ['in need of time', { units: { 12: { habits: { gapMs: 120 } } } }, { gapMs: 150 }],
  ['with zeros behind its answers', { units: { 12: { habits: { strayBytes: 2 } } } }, {}],
  ['heard with an echo', { serialEcho: true }, {}],
])('a unit on the bus that is %s is read', async (_habit, faults, settings) => {
  await plant.setFaults(faults);
  const port = plant.info.serial!.port;
  await isRead(
    modbusRtuTcpSourceSchema.parse({ ...{ type: 'modbus-rtu-tcp', port, unit: 12 }, ...common, ...settings }),
  );
});

async function isRead(config: ModbusSourceConfig): Promise<void> {
  const deps = { clock: systemClock, log: silentLog, metrics: noMetrics };
  const sink = new RecordingSink();
  const source = createModbusSource(config, deps);
  const supervised = superviseSource({ ...deps, name: 'meter', source, sink, random: systemRandom });
  supervised.start();
  const good = () => sink.readings.filter(({ quality }) => quality === 'good').length;
  for (let waited = 0; good() < 10 && waited < 15_000; waited += 20) await delay(20);
  await supervised.stop();
  expect(good()).toBeGreaterThanOrEqual(10);
  expect(sink.breaches()).toEqual([]);
}
