import { describe, expect, it } from 'vitest';
import { validateConfig } from './load.ts';
import { planReload } from './reload-plan.ts';

const source = (name: string, more: object = {}) => ({
  name,
  type: 'modbus-tcp',
  host: 'h',
  tags: [{ name: 't', address: 0, type: 'int16' }],
  ...more,
});
const config = (value: object) => validateConfig({ sources: [], ...value }, 'test');
const plan = (a: object, b: object) => planReload(config(a), config(b), '/data');

describe('what a reload changes', () => {
  it('is nothing where all is equal, whatever the order of settings and of sources', () => {
    const same = plan(
      { sources: [source('a'), source('b', { unit: 2, pollMs: 500 })] },
      { sources: [source('b', { pollMs: 500, unit: 2 }), source('a')], logLevel: 'info' },
    );
    expect(same).toMatchObject({
      refused: [],
      sources: { removed: [], started: [], kept: 2 },
      ...{ windows: false, uplink: false, forwarder: false, status: false, atNextStart: [] },
    });
  });

  it('is the sources that differ, by stream', () => {
    const { sources } = plan(
      { sources: [source('a'), source('b'), source('c'), source('old', { batchId: 'd' })] },
      { sources: [source('a'), source('b', { unit: 9 }), source('new', { batchId: 'd' }), source('e')] },
    );
    expect(sources.removed).toEqual(['c']);
    expect(sources.started.map(({ name }) => name)).toEqual(['b', 'new', 'e']);
    expect(sources.kept).toBe(1);
  });

  it.each([
    [{ windows: { ageMs: 5000 } }, { windows: true }],
    [{ spool: { commitIntervalMs: 1000 } }, { windows: true }],
    [{ spool: { flashSaver: true } }, { windows: true }],
    [{ uplink: { transport: 'amqp-ws' } }, { uplink: true }],
    [{ uplink: { output: 'o' } }, { uplink: true }],
    [{ uplink: { caps: { messagesPerDay: 10 } } }, { forwarder: true }],
    [{ uplink: { inFlight: { messages: 10 } } }, { forwarder: true }],
    [{ statusPort: 9464 }, { status: true }],
    [{ clock: { slewMs: 100 } }, { atNextStart: ['clock'] }],
    [{ restarts: { free: 2 } }, { atNextStart: ['restarts'] }],
    [{ logLevel: 'debug', faultInjection: true, uplink: { body: 'readings/1' } }, {}],
  ])('%j takes effect on %j alone', (change, effect) => {
    const { sources: _, ...rest } = plan({}, change);
    expect(rest).toEqual({
      refused: [],
      ...{ windows: false, uplink: false, forwarder: false, status: false, atNextStart: [] },
      ...effect,
    });
  });

  it('is refused where it would move the data folder, and only there', () => {
    expect(plan({}, { dataFolder: '/data' }).refused).toEqual([]);
    expect(plan({ dataFolder: '/data' }, {}).refused).toEqual([]);
    const { refused } = plan({ dataFolder: '/data' }, { dataFolder: '/elsewhere' });
    expect(refused).toEqual([{ path: 'dataFolder', message: expect.stringMatching(/it is \/data\. Stop/) }]);
  });
});
