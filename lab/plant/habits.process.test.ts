// The habits of the plant, over real sockets, and a source that reads it all the same.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { systemRandom } from '../../kernel/random.ts';
import { modbusTcpSourceSchema } from '../../runtime/sources/modbus/config.ts';
import { createModbusSource } from '../../runtime/sources/modbus/modbus-source.ts';
import { superviseSource } from '../../runtime/sources/supervisor.ts';
import { RecordingSink } from '../../runtime/sources/testing/recording-sink.ts';
import { type Plant, startPlant } from './plant.ts';

let plant: Plant;
beforeAll(async () => {
  plant = await startPlant({ seed: 5, scanMs: 100 });
});
afterAll(() => plant.stop());
afterEach(() => plant.setFaults({ units: null }));

const far = 100;
const tags = [
  { name: 'label', address: 18, type: 'string', length: 16 },
  { name: 'setpoint', address: far, type: 'uint16' },
];

it.each([
  ['deaf at first', { deafMs: 700 }, {}],
  ['closing after each answer', { closesAfterAnswer: true }, {}],
  ['closing when idle', { closesIdleMs: 60 }, {}],
  ['in need of time', { gapMs: 120 }, { gapMs: 150 }],
  ['with no transaction', { transactionId: 0 }, { transactionId: 'ignore' }],
  ['with another unit', { unitId: 0 }, { unitId: 'ignore' }],
  ['miscounting', { lengthError: 1 }, { frameLength: 'ignore' }],
])('a unit that is %s is read', async (_habit, habits, settings) => {
  await plant.setFaults({ units: { 3: { habits } } });
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: 'meter',
    host: '127.0.0.1',
    port: plant.info.port,
    unit: 3,
    pollMs: 200,
    timeoutMs: 300,
    tags,
    ...settings,
  });
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
});
