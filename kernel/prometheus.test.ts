import { describe, expect, it } from 'vitest';
import { createPrometheusMetrics } from './prometheus.ts';

const catalogue = {
  polls_total: { type: 'counter', help: 'Polls.', labels: ['source'] },
  breaks_total: { type: 'counter', help: 'Breaks.' },
  depth_bytes: { type: 'gauge', help: 'Depth.' },
  alerts_total: { type: 'counter', help: 'Alerts.', labels: ['kind'], values: ['silent', 'lost'] },
  connected: { type: 'gauge', help: 'Connected.', labels: ['source'] },
  send_seconds: { type: 'histogram', help: 'Sends.', labels: ['lane'] },
} as const;
const make = (more: { maxSeries?: number; common?: Record<string, string> } = {}) =>
  createPrometheusMetrics({ catalogue, ...more });
const lines = async (metrics: ReturnType<typeof make>, of: string, samples = {}) =>
  (await metrics.text(samples as never[])).split('\n').filter((line) => line.startsWith(of));

describe('the exporter', () => {
  it('adds up what is counted, by labels, whoever made the object that holds them', async () => {
    const metrics = make();
    const labels = { source: 'press' };
    metrics.count('polls_total', labels);
    metrics.count('polls_total', labels, 4);
    metrics.count('polls_total', { source: 'press' });
    metrics.count('polls_total', { source: 'oven' });
    const expected = ['polls_total{source="press"} 6', 'polls_total{source="oven"} 1'];
    expect(await lines(metrics, 'polls_total', [])).toEqual(expected);
    expect(await lines(metrics, 'polls_total', [])).toEqual(expected);
  });

  it('has a counter at 0 from the start, and no gauge before it was set', async () => {
    const metrics = make();
    expect(await lines(metrics, 'breaks_total', [])).toEqual(['breaks_total 0']);
    expect(await lines(metrics, 'depth_bytes', [])).toEqual([]);
    expect(await lines(metrics, 'alerts_total', [])).toEqual([
      'alerts_total{kind="silent"} 0',
      'alerts_total{kind="lost"} 0',
    ]);
    metrics.gauge('depth_bytes', 7);
    expect(await lines(metrics, 'depth_bytes', [])).toEqual(['depth_bytes 7']);
  });

  it('puts the common labels on each series, also on those of the process', async () => {
    const metrics = make({ common: { edge_device: 'gw"1' } });
    metrics.observe('send_seconds', 0.2, { lane: 'live' });
    expect(await lines(metrics, 'send_seconds_count', [])).toEqual([
      'send_seconds_count{edge_device="gw\\"1",lane="live"} 1',
    ]);
    expect((await lines(metrics, 'holdfast_process_resident_memory_bytes', []))[0]).toContain(
      'edge_device="gw',
    );
  });

  it('says of the process what it is: an idle event loop has no lag, and no gauge the name of a counter', async () => {
    const metrics = make();
    await metrics.text();
    const text = await metrics.text();
    for (const [, value] of text.matchAll(
      /^holdfast_nodejs_eventloop_lag_(?:min|p50|p99|max)_seconds(?:\{\})? (.+)$/gm,
    ))
      expect(Number(value)).toBe(0);
    expect(text).toContain('holdfast_nodejs_eventloop_lag_p99_seconds');
    for (const [, name] of text.matchAll(/^# TYPE (\S+) gauge$/gm)) expect(name).not.toMatch(/_total$/);
  });

  it('reads series off the state as it is at each look: what is gone is not shown again', async () => {
    const metrics = make();
    const of = (source: string) => ({ name: 'connected', labels: { source }, value: 1 });
    expect(await lines(metrics, 'connected', [of('a'), of('b')])).toHaveLength(2);
    expect(await lines(metrics, 'connected', [of('b')])).toEqual(['connected{source="b"} 1']);
    expect(await lines(metrics, 'connected', [])).toEqual([]);
  });

  it('makes so many series of a metric and no more, and counts what it left out', async () => {
    const metrics = make({ maxSeries: 3 });
    for (let n = 0; n < 10; n++) metrics.count('polls_total', { source: `s${n}` });
    expect(await lines(metrics, 'polls_total', [])).toHaveLength(3);
    expect(await lines(metrics, 'holdfast_metrics_left_out_total', [])).toEqual([
      'holdfast_metrics_left_out_total 7',
    ]);
  });

  it('never throws into the code that counts, whatever it is given', async () => {
    const metrics = make();
    metrics.count('nobody_knows_total');
    metrics.count('polls_total', { wrong: 'label' });
    metrics.count('polls_total', { source: 'a', more: 'b' });
    metrics.count('breaks_total', undefined, -1);
    metrics.count('breaks_total', undefined, Number.NaN);
    metrics.observe('send_seconds', Number.NaN, { lane: 'live' });
    metrics.observe('breaks_total', 1);
    expect(await lines(metrics, 'holdfast_metrics_left_out_total', [])).toEqual([
      'holdfast_metrics_left_out_total 7',
    ]);
    expect(await lines(metrics, 'breaks_total', [])).toEqual(['breaks_total 0']);
  });

  it('forgets sources that are configured no more, and begins anew with one that comes back', async () => {
    const metrics = make();
    const labels = { source: 'old' };
    metrics.count('polls_total', labels, 5);
    metrics.count('polls_total', { source: 'kept' });
    metrics.keepOnly('source', new Set(['kept']));
    expect(await lines(metrics, 'polls_total', [])).toEqual(['polls_total{source="kept"} 1']);
    metrics.count('polls_total', labels);
    expect(await lines(metrics, 'polls_total', [])).toContain('polls_total{source="old"} 1');
  });
});
