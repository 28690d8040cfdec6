import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import type { Reading } from '../../../wire/reading.ts';
import { openSpool } from '../../spool/spool.ts';
import { readRecorded } from './recorded.ts';
import { type ReplayedRow, replayRule } from './replay.ts';
import { type QueryNames, readRuleSettings } from './rule-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-replay-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const origin = Date.UTC(2026, 10, 21);
const query = `SELECT COUNT(*) AS n INTO output FROM input GROUP BY TumblingWindow(second, 1)`;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const readings = (from: number, to: number): Reading[] =>
  Array.from({ length: (to - from) / 100 }, (_, n) => ({
    index: origin + from + n * 100,
    tag: 'v',
    value: n,
    quality: 'good',
  }));

async function decided(recordedAt: string, rule: string, names: QueryNames = {}) {
  const recorded = await readRecorded(recordedAt);
  const { rules, sources } = await readRuleSettings(rule, recorded.streams, names);
  const rows: ReplayedRow[] = [];
  const summary = await replayRule(rules[0]!, sources, recorded, (row) => void rows.push(row));
  const shown = rows.map(({ time, row, isWhole }) => [Date.parse(time) - origin, row.n, isWhole]);
  return { rows, shown, summary, recorded };
}

/** Two windows with a hole between, in the lines of \`run --to\`. */
const lines = [
  [0, 2500],
  [4000, 6100],
]
  .map(([start = 0, end = 0]) => {
    const at = (ms: number) => new Date(origin + ms).toISOString();
    const list = readings(start, end).map(({ index, tag, value }) => ({
      t: new Date(index).toISOString(),
      tag,
      v: value,
    }));
    return JSON.stringify({
      messageId: `${start}`,
      batchId: 'press',
      startWindow: at(start),
      endWindow: at(end),
      readings: list,
    });
  })
  .join('\n');
const expected = [
  [0, 1, false],
  [1000, 10, true],
  [2000, 10, true],
  [3000, 4, false],
  [4000, 1, false],
  [5000, 10, true],
  [6000, 10, true],
];

describe('rules on what was recorded', () => {
  it('decide as they would have, with holes as they were, from lines of JSON', async () => {
    const path = file('lines.jsonl', lines);
    const rule = file('query.asaql', query);
    const { shown, summary } = await decided(path, rule);
    expect(shown).toEqual(expected);
    expect(summary).toMatchObject({ rule: 'query', rows: 7, actions: 0, readings: 46 });
  });

  it('from a spool, by the names of a site file, with what would have been carried out', async () => {
    const data = join(folder, 'data');
    const spool = await openSpool({
      ...{ folder: join(data, 'spool'), clock: systemClock, log: silentLog, metrics: noMetrics },
    });
    spool.openStream('line-1.press', 'time');
    const batch = (start: number, end: number) => ({
      batch: {
        ...{ batchId: 'line-1.press', index: 'time' as const, readings: readings(start, end) },
        window: { start: origin + start, end: origin + end },
      },
      ...{ late: false, to: 'lane' as const, plainBytes: 1000 },
    });
    const closed = [batch(0, 2500), batch(4000, 6100)];
    await spool.commitWindows([{ batchId: 'line-1.press', index: 'time', closed, restart: false } as never]);
    await spool.close();
    const site = file(
      'site.yaml',
      [
        'sources:',
        '  - {name: press, batchId: line-1.press, type: any}',
        'rules:',
        '  - name: count',
        '    inputs: {input: {source: press}}',
        `    query: ${JSON.stringify(query)}`,
        '    outputs: [upstream, {send: control}]',
      ].join('\n'),
    );
    const { shown, rows, summary } = await decided(data, site);
    expect(shown).toEqual(expected);
    expect(summary).toMatchObject({ rule: 'count', rows: 7, actions: 4 });
    expect(rows[1]?.actions).toEqual([{ send: 'control' }]);
    expect(rows[0]?.actions).toEqual([]);
  });

  it('from a spool: what was sent ahead of a window is seen with it; what came late, or was asked for, is not', async () => {
    const data = join(folder, 'ahead');
    const spool = await openSpool({
      ...{ folder: join(data, 'spool'), clock: systemClock, log: silentLog, metrics: noMetrics },
    });
    spool.openStream('press', 'time');
    const batch = (start: number, end: number, from: readonly Reading[]) => ({
      ...{ batchId: 'press', index: 'time' as const, readings: from },
      window: { start: origin + start, end: origin + end },
    });
    const commit = (late: boolean, ...args: Parameters<typeof batch>) =>
      spool.commitWindows([
        {
          ...{
            batchId: 'press',
            index: 'time',
            restart: false,
            ...(late ? {} : { floor: origin + args[1] }),
          },
          closed: [{ batch: batch(...args), late, to: 'lane', plainBytes: 1000 }],
        } as never,
      ]);
    await commit(false, 0, 2500, readings(0, 2500));
    await commit(true, 4000, 4600, readings(4000, 4600));
    await commit(false, 4000, 6100, readings(4600, 6100));
    await commit(true, 500, 600, readings(500, 600));
    const range = { start: origin + 2500, end: origin + 4000 };
    const job = { requestId: 'r', batchId: 'press', index: 'time', range, state: 'done', voids: [] } as const;
    await spool.save(
      { ...job, covered: [range], createdAt: 0, updatedAt: 0 },
      { batches: [batch(2500, 4000, readings(2500, 4000))] },
    );
    await spool.close();
    const { shown } = await decided(data, file('ahead.asaql', query));
    expect(shown).toEqual(expected);
  });

  it('of a query read the streams that are named for its inputs, in the time that it names', async () => {
    const other = lines.replaceAll('"press"', '"oven"').replaceAll('"messageId":"', '"messageId":"o');
    const path = file(
      'two.jsonl',
      `${lines}\n${other}\n{"messageId":"m","output":"control","rule":"r","body":{}}`,
    );
    const rule = file('timed.asaql', query.replace('FROM input', 'FROM input TIMESTAMP BY made'));
    await expect(decided(path, rule)).rejects.toThrow('rule query reads input; recorded are: press, oven.');
    const { shown } = await decided(path, rule, { inputs: new Map([['input', 'oven']]), time: 'made' });
    expect(shown).toEqual(expected);
    const misspelt = decided(path, rule, { inputs: new Map([['inptu', 'oven']]) });
    await expect(misspelt).rejects.toThrow('--input: the query has no input inptu; it reads: input');
    const yaml = file('own.yaml', `rules: [{name: r, query: ${JSON.stringify(query)}, outputs: [upstream]}]`);
    await expect(decided(path, yaml, { time: 'made' })).rejects.toThrow('in YAML `inputs` says so');
  });

  it('of a site are read as the module reads them: maps by name, durations, variables', async () => {
    const path = file('recorded.jsonl', lines);
    const rule = (waitMs: string) =>
      `{inputs: {input: {source: press}}, query: ${JSON.stringify(query)}, waitMs: ${waitMs}, tolerance: {lateMs: 2s}, outputs: [upstream]}`;
    const site = (waitMs: string) =>
      `sources: {press: {host: "\${NOT_SET_HERE}"}}\nrules: {r: ${rule(waitMs)}}`;
    const { shown } = await decided(path, file('maps.yaml', site('"${NOT_SET_HERE:-3s}"')));
    expect(shown).toEqual(expected);
    await expect(decided(path, file('maps.yaml', site('3x')))).rejects.toThrow(/rules\.r\.waitMs: must be/);
    await expect(decided(path, file('maps.yaml', site('"${NOT_SET_HERE}"')))).rejects.toThrow(
      'NOT_SET_HERE is not set',
    );
  });

  it('say what they read where nothing of it was recorded, and which line cannot be read', async () => {
    const path = file(
      'more.jsonl',
      `${lines}\n{"batchId":"press","startWindow":"never","endWindow":"never"}`,
    );
    const site = file(
      'other.yaml',
      `rules: [{name: r, inputs: {input: {source: oven}}, query: ${JSON.stringify(query)}, outputs: [upstream]}]`,
    );
    expect((await readRecorded(path)).problems).toEqual([expect.stringContaining('line 3')]);
    await expect(decided(path, site)).rejects.toThrow(
      'rule r reads oven; recorded are: press. Say which is which: for a query --input input=STREAM, in YAML `inputs`',
    );
    await expect(readRecorded(join(folder, 'none'))).rejects.toThrow('is no file and no folder');
  });
});
