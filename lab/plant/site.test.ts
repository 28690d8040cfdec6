import { expect, test } from 'vitest';
import { modbusTcpSourceSchema } from '../../runtime/sources/modbus/config.ts';
import { sampleAt, tagValues } from './sample.ts';
import { plantSources } from './site.ts';

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

test('its tags are those of the truth', () => {
  const truth = Object.keys(tagValues(sampleAt(1, 1, 1)));
  for (const source of plantSources({ host: '127.0.0.1', port: 502, units })) {
    expect(source.tags.map((tag) => tag.name)).toEqual(truth);
  }
});
