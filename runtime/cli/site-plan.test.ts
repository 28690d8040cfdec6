import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { validateConfig } from '../config/load.ts';
import { describePlan } from './check.ts';
import { planSite } from './site-plan.ts';

const tag = (name: string, address: number, more: object = {}) => ({
  name,
  address,
  type: 'float32',
  ...more,
});
const plan = (value: object) => planSite(validateConfig(value, 'test'), new VirtualClock());
const tcp = { type: 'modbus-tcp', host: '10.0.0.5' };
const rtu = { type: 'modbus-rtu', path: '/dev/ttyUSB0' };

describe('the plan of a site', () => {
  it('counts requests by bus: own connections apart, those that share one together', () => {
    const { buses, streams } = plan({
      sources: [
        { ...tcp, name: 'a', pollMs: 500, tags: [tag('x', 0), tag('y', 2), tag('far', 1000)] },
        { ...tcp, name: 'b', connection: 'shared', pollMs: 1000, tags: [tag('x', 0)] },
        {
          ...tcp,
          name: 'c',
          unit: 2,
          connection: 'shared',
          tags: [tag('x', 0), tag('y', 2, { pollMs: 100 })],
        },
      ],
    });
    expect(buses.map(({ sources, requestsPerSecond }) => [sources, requestsPerSecond])).toEqual([
      [['a'], 4],
      [['b', 'c'], 12],
    ]);
    expect(streams[0]?.polls).toEqual([
      { pollMs: 500, tags: 3, requests: 2, blocks: ['holding 0-3', 'holding 1000-1001'] },
    ]);
    expect(streams[2]?.polls.map(({ pollMs }) => pollMs)).toEqual([1000, 100]);
  });

  it('warns of a serial line that has no time for its polls', () => {
    const source = { ...rtu, name: 'a', pollMs: 100, tags: [tag('x', 0)] };
    expect(plan({ sources: [{ ...source, baudRate: 115_200 }] }).warnings).toEqual([]);
    const slow = plan({ sources: [{ ...source, baudRate: 1200 }] });
    // 8 + 5 + 4 bytes of 11 bits at 1200 baud are 156 ms, every 100 ms.
    expect(slow.buses[0]?.load).toBeGreaterThan(1.5);
    expect(slow.warnings[0]).toMatch(/ttyUSB0.*% of the line's time/);
  });

  it('counts what rules send into the total, and against the cap', () => {
    const sources = [{ ...tcp, name: 'a', pollMs: 1000, tags: [tag('x', 0), tag('y', 2)] }];
    const config = validateConfig({ sources, uplink: { caps: { messagesPerDay: 10_000 } } }, 'test');
    const alone = planSite(config, new VirtualClock());
    expect(alone.warnings).toEqual([]);
    const both = planSite(config, new VirtualClock(), 8640);
    expect(both.total).toMatchObject({
      messagesPerDay: 17_280,
      unitsPerDay: 17_280,
      ruleMessagesPerDay: 8640,
    });
    expect(both.warnings).toEqual([expect.stringContaining('17280 units')]);
    const text = describePlan('site.yaml', both);
    expect(text).toContain('172,800 readings, 8,640 messages');
    expect(text).toContain('of rules at most 8,640 messages');
    expect(text).toContain('in all at most 17,280 messages, 17,280 metered units');
    expect(describePlan('site.yaml', alone)).not.toContain('rules');
  });

  it('counts messages by windows, and larger bodies for more readings and plainer coding', () => {
    const sources = [{ ...tcp, name: 'a', pollMs: 1000, tags: [tag('x', 0), tag('y', 2)] }];
    const { total } = plan({ sources });
    expect(total).toMatchObject({ readingsPerDay: 172_800, messagesPerDay: 8640, unitsPerDay: 8640 });
    const long = plan({ sources, windows: { ageMs: 60_000 } }).total;
    expect(long.messagesPerDay).toBe(1440);
    expect(long.bytesPerDay).toBeLessThan(total.bytesPerDay);
    const plain = plan({ sources, uplink: { body: 'readings/1', gzip: false } }).total;
    expect(plain.bytesPerDay).toBeGreaterThan(2 * total.bytesPerDay);
    const slowPoll = plan({ sources: [{ ...sources[0]!, pollMs: 3_600_000 }] }).total;
    expect(slowPoll.messagesPerDay).toBe(1440);
  });

  it('stays exact where a window does not fit into one message, and quick where it is huge', () => {
    const tags = Array.from({ length: 1000 }, (_, at) => tag(`tag-${at}`, at * 2));
    const sources = [{ ...tcp, name: 'a', pollMs: 100, tags }];
    const { total, warnings } = plan({
      sources,
      windows: { ageMs: 60_000 },
      uplink: { caps: { messagesPerDay: 8000 } },
    });
    expect(total.readingsPerDay).toBe(864_000_000);
    expect(total.bytesPerDay / total.messagesPerDay).toBeLessThan(262_144);
    expect(warnings[0]).toMatch(/cap is 8000/);
  });

  it('hints at addresses that were copied from a manual, once a source, unless they are said to be meant', () => {
    const sources = [{ ...tcp, name: 'a', tags: [tag('level', 40_007), tag('flow', 40_009)] }];
    expect(plan({ sources }).warnings).toEqual([
      expect.stringMatching(/^a: address 40007 of level \(the first of 2 .*most likely means address 6: /),
    ]);
    const meant = sources.map((source) => ({ ...source, addressing: 'zero-based' as const }));
    expect(plan({ sources: meant }).warnings).toEqual([]);
    expect(plan({ sources: [{ ...tcp, name: 'a', tags: [tag('level', 6)] }] }).warnings).toEqual([]);
  });

  it('is told to people in lines, and without sources too', () => {
    const text = describePlan('f.yaml', plan({ sources: [{ ...rtu, name: 'a', tags: [tag('x', 6)] }] }));
    expect(text).toMatch(/^f\.yaml: valid\. Sources: 1, tags: 1\./);
    expect(text).toMatch(/modbus-rtu \/dev\/ttyUSB0: 1 request\/s, \d+ % of the line's time/);
    expect(text).toMatch(/every 1000 ms: 1 tag in 1 request: holding 6-7/);
    expect(describePlan('f.yaml', plan({ sources: [] }))).toBe('f.yaml: valid. Sources: 0, tags: 0.');
  });
});
