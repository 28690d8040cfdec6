// What the sensor module hands over, and the `sources` entry of a holdfast configuration that takes it.
import { z } from 'zod';
import type { TagValues } from './sample.ts';

export const sensorUnit = 31;
/** Of the sensor module, and the input of ours that it is routed to. */
export const sensorOutput = 'temperatureOutput';

/** `unplugged`: it measures and counts, and hands nothing over. */
export const sensorFaultsPatch = z.strictObject({ unplugged: z.boolean() });

export interface SensorValues {
  readonly temperature: number;
  readonly pressure: number;
  readonly ambient: number;
  readonly humidity: number;
}

/** The four values of the published sensor, out of what all simulated equipment measures. */
export function sensorValues({ temperature, pressure, level, status }: TagValues): SensorValues {
  return { temperature, pressure, ambient: level, humidity: status };
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
      { name: 'temperature', path: 'machine.temperature' },
      { name: 'pressure', path: 'machine.pressure' },
      { name: 'ambient', path: 'ambient.temperature' },
      { name: 'humidity', path: 'ambient.humidity' },
    ],
  };
}
