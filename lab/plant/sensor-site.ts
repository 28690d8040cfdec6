// What the sensor module hands over, and the `sources` entry of a holdfast configuration that takes it.
import { z } from 'zod';
import type { TagValues } from './sample.ts';

export const sensorUnit = 31;
/** Of the sensor module, and the input of ours that it is routed to. */
export const sensorOutput = 'temperatureOutput';
/** Input of the sensor module: a message `{command: 'reset'}` cools what it measures. */
export const sensorControl = 'control';

/** `unplugged`: it measures and counts, and hands nothing over. */
export const sensorFaultsPatch = z.strictObject({ unplugged: z.boolean() });

/** By tag. */
export interface SensorValues {
  readonly 'machine.temperature': number;
  readonly 'machine.pressure': number;
  readonly 'ambient.temperature': number;
  readonly 'ambient.humidity': number;
}

/** The four values of the published sensor: the machine's own temperature, and what all simulated equipment measures. */
export function sensorValues({ pressure, level, status }: TagValues, temperature: number): SensorValues {
  return {
    'machine.temperature': temperature,
    'machine.pressure': pressure,
    'ambient.temperature': level,
    'ambient.humidity': status,
  };
}

/** Source `sensor`. `silenceMs`: longest time between messages while it is well. */
export function sensorSource(silenceMs: number) {
  return {
    name: 'sensor',
    type: 'module-input' as const,
    input: sensorOutput,
    time: { path: 'timeCreated' },
    sequence: { property: 'sequenceNumber' },
    silenceMs,
    tags: [
      { name: 'machine.temperature', path: 'machine.temperature' },
      { name: 'machine.pressure', path: 'machine.pressure' },
      { name: 'ambient.temperature', path: 'ambient.temperature' },
      { name: 'ambient.humidity', path: 'ambient.humidity' },
    ],
  };
}
