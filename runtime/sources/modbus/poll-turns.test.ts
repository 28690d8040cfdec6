// Units that share a connection begin together: each is then polled where the line is free, not where it waits for the others.
import { expect, it } from 'vitest';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';
import { MemoryDevice } from './testing/memory-device.ts';
import { RegisterDevice } from './testing/register-device.ts';

const answerMs = 40;
const pollMs = 1000;

it('units that share a connection are each polled when they are due, though they began together', async () => {
  const clock = new VirtualClock();
  const registers = new RegisterDevice();
  const answer = (request: Parameters<typeof registers.answer>[0]) => ({
    afterMs: answerMs,
    answer: registers.answer(request),
  });
  const links = new MemoryDevice(clock, answer).links();
  const late: number[] = [];
  const metrics = {
    ...noMetrics,
    gauge: (name: string, value: number) => {
      if (name === 'holdfast_modbus_poll_lateness_seconds') late.push(1000 * value);
    },
  };
  const deps = { clock, log: silentLog, metrics };
  const sinks = [1, 2, 3, 4, 5].map((unit) => {
    const tags = [0, 500].map((address) => ({ name: `r${address}`, address, type: 'uint16' }));
    const shape = { type: 'modbus-tcp', name: `unit-${unit}`, host: 'h', unit, pollMs, tags };
    const config = modbusTcpSourceSchema.parse({ ...shape, connection: 'shared' });
    const sink = new RecordingSink();
    const source = createModbusSource(config, { ...deps, links });
    superviseSource({ ...deps, name: config.name, source, sink, random: seededRandom(unit) }).start();
    return sink;
  });
  await clock.advance(3 * pollMs);
  expect(Math.max(...late)).toBeGreaterThan(answerMs);
  late.length = 0;
  await clock.advance(60 * pollMs);
  expect(late).toHaveLength(5 * 60);
  expect(Math.max(...late)).toBeLessThan(answerMs);
  for (const sink of sinks) {
    expect(sink.of('broken')).toEqual([]);
    // None of them missed a poll while it was moved.
    expect(new Set(sink.readings.map(({ index }) => index)).size).toBeGreaterThanOrEqual(63);
  }
});
