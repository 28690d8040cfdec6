// docs/RULES.md, run: each of its examples, by its language, and what it says of expressions.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { root } from '../../test/support/source-tree.ts';
import { loadValue, parseConfig } from '../config/load.ts';
import { compileRule } from './compile-rule.ts';
import type { RuleRecord } from './engine-api.ts';

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const fences = (text: string) =>
  [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```/gm)].map(([, indent, language, body]) => ({
    language: language!,
    text: body!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
const page = fences(read('docs/RULES.md'));
const of = (wanted: string) => page.filter(({ language }) => language === wanted).map(({ text }) => text);

/** What the query says of these rows, of which each is a second after the one before. */
function decided(
  query: string,
  rows: readonly RuleRecord[],
  indexField = 'timeCreated',
): readonly RuleRecord[] {
  const running = compileRule({ name: 'r', inputs: { input: { indexField } }, query }).start();
  for (const [at, row] of rows.entries()) running.push('input', 'press', (at + 1) * 1000, row);
  return running.advance(100_000).map(({ row }) => row);
}
const degrees = (count: number, temperature: number) =>
  Array.from({ length: count }, () => ({ machine: { temperature } }));

describe('docs/RULES.md', () => {
  it('has examples in the languages that this test runs, and the commands are run by that of all documents', () => {
    expect([...new Set(page.map(({ language }) => language))].sort()).toEqual(['', 'json', 'sql', 'yaml']);
    expect(of('yaml')).toHaveLength(2);
    expect(of('json')).toHaveLength(1);
  });

  it('shows a query that resets what is too hot for ten seconds, and nothing else', () => {
    for (const query of of('sql')) {
      expect(decided(query, degrees(10, 31))).toEqual([
        { command: 'reset', maxEventTime: '1970-01-01T00:00:10.0000000Z' },
      ]);
      expect(decided(query, degrees(10, 30))).toEqual([]);
    }
  });

  it('shows a site that runs as it stands, with the same query', async () => {
    const { config } = await loadValue(parse(of('yaml')[0]!), 'docs/RULES.md');
    const [rule] = config.rules;
    expect(decided(rule!.query!, degrees(10, 31))).toEqual(decided(of('sql')[0]!, degrees(10, 31)));
    expect(rule!.outputs).toEqual({
      output: ['upstream', { send: 'control' }, { write: { source: 'press', tag: 'setpoint', value: 20 } }],
    });
  });

  it('shows a short form that is a rule once it says what becomes of it', async () => {
    const [{ outputs, ...rule }] = parse(of('yaml')[1]!);
    const tags = [{ name: 'temperature', address: 6, type: 'float32' }];
    const sources = [{ name: 'press', type: 'modbus-tcp', host: 'h', pollMs: 1000, tags }];
    const site = (more: object) => loadValue({ sources, rules: [{ ...rule, ...more }] }, 'site');
    await expect(site({ outputs })).resolves.toBeTruthy();
    await expect(site({ outputs: ['upstream'] })).resolves.toBeTruthy();
    await expect(site({ outputs: { when: ['upstream'], until: ['upstream'] } })).resolves.toBeTruthy();
    // As the page says: outputs are required, and are those that the rule has.
    await expect(site({})).rejects.toThrow(/outputs/);
    await expect(site({ outputs: { whenn: ['upstream'] } })).rejects.toThrow(/has: when, until/);
  });

  it('shows routes as a deployment has them', () => {
    const routes: Record<string, string> = JSON.parse(`{${of('json')[0]}}`).routes;
    for (const route of Object.values(routes))
      expect(route).toMatch(
        /^FROM \/messages\/modules\/\w+\/outputs\/\w+ INTO (\$upstream|BrokeredEndpoint\("\/modules\/\w+\/inputs\/\w+"\))$/,
      );
  });

  it('says what expressions are', () => {
    const value = (expression: string) =>
      decided(`SELECT ${expression} AS x FROM input`, [{ machine: { temperature: 1 } }], 'time')[0]?.x;
    const said = [...read('docs/RULES.md').matchAll(/`(\d+ \/ [\d.]+)` is (\d+(?:\.\d+)?)/g)];
    expect(said.map(([, expression]) => value(expression!))).toEqual(
      said.map(([, , number]) => Number(number)),
    );
    expect(said).toHaveLength(2);
  });
});

it('the rule of docs/OPERATIONS.md is one', () => {
  const section = read('docs/OPERATIONS.md')
    .split(/^## /m)
    .find((text) => text.startsWith('Deciding on the gateway'))!;
  const { text } = fences(section)[0]!;
  const tags =
    '[{name: temperature, address: 0, type: int16}, {name: setpoint, address: 1, type: int16, writable: true}]';
  const sources = `sources: [{name: press, type: modbus-tcp, host: h, pollMs: 1000, tags: ${tags}}]`;
  const { rules } = parseConfig(`${sources}\n${text}`, 'docs/OPERATIONS.md');
  expect(rules.map(({ name }) => name)).toEqual(['overheated']);
  expect(
    decided(
      rules[0]!.query!,
      Array.from({ length: 10 }, () => ({ temperature: 31 })),
      'time',
    ),
  ).toHaveLength(1);
});
