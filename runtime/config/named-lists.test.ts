import { describe, expect, it } from 'vitest';
import type { ConfigError } from './config-error.ts';
import { loadValue, parseConfig } from './load.ts';

const source = {
  type: 'modbus-tcp',
  host: '10.0.0.5',
  unit: 1,
  pollMs: 1000,
  tags: [{ name: 't', address: 0, type: 'uint16' }],
};
const rule = { when: 'avg(press.t, 10s) > 30', outputs: ['upstream'] };

const problemsOf = async (value: unknown) => {
  try {
    await loadValue(value, 'test');
  } catch (error) {
    return (error as ConfigError).problems.map(({ path, message, of }) => [path, message, of]);
  }
  return [];
};

describe('sources and rules as maps by name', () => {
  it('are those of a list with these names, and one configuration with it', async () => {
    const map = await loadValue({ sources: { press: source }, rules: { hot: rule } }, 'test');
    const list = await loadValue(
      { sources: [{ name: 'press', ...source }], rules: [{ name: 'hot', ...rule }] },
      'test',
    );
    expect(map.config).toEqual(list.config);
    expect(map.hash).toBe(list.hash);
  });

  it('have their problems where they are written', async () => {
    expect(
      await problemsOf({ sources: { press: { ...source, port: -1 }, 'hall 2': { ...source, name: 'x' } } }),
    ).toEqual([
      ['sources.hall 2.name', expect.stringContaining('name is that of its key'), 'x'],
      ['sources.press.port', 'must be at least 1 (here: -1)', 'press'],
    ]);
    expect(await problemsOf({ sources: { press: 7 } })).toEqual([
      ['sources.press', expect.any(String), undefined],
    ]);
    const yaml = `sources:\n  press:\n    type: modbus-tcp\n    host: 10.0.0.5\n    unit: 1\n    pollMs: fast\n    tags: []\n`;
    expect(() => parseConfig(yaml, 'site.yaml')).toThrow(
      /line 6.*sources\.press\.pollMs|sources\.press\.pollMs.*line 6/s,
    );
  });

  it('may name a source with its own name once more', async () => {
    expect(await problemsOf({ sources: { press: { name: 'press', ...source } } })).toEqual([]);
  });
});
