import { expect, test } from 'vitest';
import {
  modbusRtuSourceSchema,
  modbusRtuTcpSourceSchema,
  modbusTcpSourceSchema,
} from '../../runtime/sources/modbus/config.ts';
import { moduleInputSourceSchema } from '../../runtime/sources/module-input/config.ts';
import { sampleAt, tagValues } from './sample.ts';
import { sensorSource, sensorValues } from './sensor-site.ts';
import { busSources, plantSources } from './site.ts';

const units = {
  1: { name: 'press', log: 'ring', capacity: 2443 },
  2: { name: 'boiler', log: 'file-records', capacity: 3000 },
  3: { name: 'meter', log: 'none', capacity: 0 },
} as const;

test('the runtime accepts the configuration of this plant', () => {
  const sources = plantSources({ host: '127.0.0.1', port: 502, units });
  expect(sources.map((source) => source.name)).toEqual(['press', 'boiler', 'meter']);
  for (const source of sources) modbusTcpSourceSchema.parse(source);
});

test('the runtime accepts that of its serial bus, on the port or over TCP', () => {
  const bus = { host: '127.0.0.1', units: { 11: { name: 'mixer', log: 'ring', capacity: 60 } as const } };
  const onPort = busSources({ ...bus, serial: { port: 4001, path: '/dev/ttyUSB0' } });
  expect(onPort.map((source) => source.name)).toEqual(['mixer', 'scale']);
  for (const source of onPort) expect(modbusRtuSourceSchema.parse(source).path).toBe('/dev/ttyUSB0');
  for (const source of busSources({ ...bus, serial: { port: 4001 } })) {
    expect(modbusRtuTcpSourceSchema.parse(source)).toMatchObject({ host: '127.0.0.1', port: 4001 });
  }
});

test('the runtime accepts the sensor module as a source, with a tag for each of its values', () => {
  const { tags } = moduleInputSourceSchema.parse(sensorSource(4000));
  expect(tags?.map(({ name }) => name)).toEqual(Object.keys(sensorValues(tagValues(sampleAt(1, 31, 1)), 21)));
});

test('its tags are those of the truth', () => {
  const truth = Object.keys(tagValues(sampleAt(1, 1, 1)));
  for (const source of plantSources({ host: '127.0.0.1', port: 502, units })) {
    expect(source.tags.map((tag) => tag.name)).toEqual(truth);
  }
});
