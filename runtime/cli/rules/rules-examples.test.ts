import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { readRuleConfigs, readRuleQuery } from './rule-file.ts';
import { runCase } from './run-cases.ts';
import { findProjects } from './test-project.ts';

const examples = fileURLToPath(new URL('../../../docs/examples/rules', import.meta.url));
const projects = await findProjects(examples);
const cases = projects.flatMap((project) => project.cases.map((one) => ({ project, one })));

describe('the examples of docs/examples/rules', () => {
  it('hold all 18 cases of the semantics', () => {
    const numbered = cases.flatMap(({ one }) => /^\d+/.exec(one.name)?.[0] ?? []);
    const numbers = new Set(numbered.map(Number));
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 18 }, (_, i) => i + 1));
  });

  it.each(cases.map(({ project, one }) => [one.name, project, one] as const))('%s', (_, project, one) => {
    expect(runCase(project, one).problems).toEqual([]);
  });

  it('fail where another row is expected, and say which', () => {
    const { project, one } = cases.find(({ one: { name } }) => name.startsWith('1:'))!;
    const [output, windows] = one.outputs;
    const changed = {
      ...one,
      outputs: [{ ...output!, rows: [{ ...output!.rows[0]!, command: 'stop' }] }, windows!],
    };
    expect(runCase(project, changed).problems).toEqual([
      'output: 1 rows expected, 1 came',
      '  - {"command":"stop","maxEventTime":"2024-01-01T00:00:10.0000000Z"}',
      '  + {"command":"reset","maxEventTime":"2024-01-01T00:00:10.0000000Z"}',
    ]);
  });
});

it('an output that the query does not have fails its case: it may be misspelt', () => {
  const { project, one } = cases[0]!;
  const misspelt = { ...one, outputs: [...one.outputs, { alias: 'outptu', rows: [] }] };
  expect(runCase(project, misspelt).problems).toEqual([
    expect.stringContaining('the query has no output outptu; it has: '),
  ]);
});

describe('a case that would compare something else than it says is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-odd-case-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'q.asaql'), 'SELECT v FROM input');
  writeFileSync(join(folder, 'rows.json'), '[]');
  const input = { InputAlias: 'input', Type: 'Data Stream', Format: 'Json', FilePath: 'rows.json' };
  const output = { OutputAlias: 'output', FilePath: 'rows.json' };

  it.each([
    [{ Inputs: [{ ...input, Format: 'Csv' }], ExpectedOutputs: [output] }, 'input is of format Csv'],
    [{ Inputs: [input], ExpectedOutputs: [] }, 'compares nothing'],
    [{ Inputs: [input], ExpectedOutputs: [{ ...output, Required: false }] }, 'compares nothing'],
  ])('%j', async (one, message) => {
    writeFileSync(join(folder, 'testConfig.json'), JSON.stringify({ TestCases: [{ Name: 'odd', ...one }] }));
    await expect(findProjects(folder)).rejects.toThrow(message);
  });
});

describe('cases run with the query of a rule', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-case-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const site = (text: string) => {
    const path = join(folder, 'site.yaml');
    writeFileSync(path, text);
    return path;
  };
  const { query } = projects.find((project) => project.folder.endsWith('overheated'))!;
  const rule = (name: string, text: string) =>
    `{name: ${name}, inputs: {input: {source: press, time: timeCreated}}, query: ${JSON.stringify(text)}, outputs: [upstream]}`;

  it('that is deployed, in place of the folder’s own', async () => {
    const path = site(`rules: [${rule('same', query)}, ${rule('other', query.replace('> 30', '> 90'))}]`);
    const failures = async (name: string) => {
      const [project] = await findProjects(join(examples, 'overheated'), await readRuleQuery(path, name));
      return project!.cases.filter((one) => runCase(project!, one).problems.length > 0).length;
    };
    expect(await failures('same')).toBe(0);
    expect(await failures('other')).toBeGreaterThan(0);
    await expect(readRuleQuery(path, undefined)).rejects.toThrow(
      /several rules: name one with --name; it has: same, other/,
    );
    await expect(readRuleQuery(path, 'third')).rejects.toThrow(/has no rule third; it has: same, other/);
    const short = site('rules: [{name: s, when: press.t > 3, outputs: [upstream]}]');
    await expect(readRuleQuery(short, undefined)).rejects.toThrow(/short form/);
  });
});

describe('rules of a file, to be explained', () => {
  const configs = async (text: string) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-'));
    const path = join(folder, 'site.yaml');
    writeFileSync(path, text);
    try {
      return (await readRuleConfigs(path)).map(({ inputs }) => inputs);
    } catch (error) {
      return (error as Error).message;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  it('read what the file says: their inputs, all of its sources, or what the query names', async () => {
    const rule = 'rules: [{name: a, query: SELECT x FROM press, outputs: [upstream]}]';
    expect(await configs(rule)).toEqual([{ press: { indexField: 'time' } }]);
    const sources = 'sources: [{name: press}, {name: oven}]';
    expect(await configs(`${rule}\n${sources}`)).toEqual([
      { press: { indexField: 'time' }, oven: { indexField: 'time' } },
    ]);
    const named = 'inputs: {i: {source: press, time: made}}, query: SELECT x FROM i';
    expect(await configs(`rules: [{name: a, ${named}, outputs: [upstream]}]\n${sources}`)).toEqual([
      { i: { indexField: 'made' } },
    ]);
  });

  it('are refused with line and column of what is wrong', async () => {
    const problems = await configs('rules:\n  - {name: a, query: 5, outputs: [upstream]}\n  - {name: b}');
    expect(problems).toContain('line 2, column 15: rule a: rules[0].query');
    expect(problems).toContain('rules[1].outputs: is missing');
  });
});

describe('a folder of cases', () => {
  const refused = (message: string) =>
    expect.objectContaining({ code: 'rules-test-invalid', message: expect.stringContaining(message) });
  const problemOf = async (files: Readonly<Record<string, string>>) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const found = await findProjects(folder).catch((error: unknown) => error);
    rmSync(folder, { recursive: true });
    return found;
  };
  const config = (one: object) =>
    JSON.stringify({ Script: 'C:\\jobs\\a.asaql', TestCases: [{ Name: 'a', ...one }] });

  it('that is none is refused with what is missing', async () => {
    expect(await problemOf({})).toEqual(refused('no testConfig.json'));
    expect(await problemOf({ 'testConfig.json': '{' })).toEqual(refused('is not JSON'));
    expect(await problemOf({ 'testConfig.json': '{"TestCases": []}' })).toEqual(refused('asaproj.json'));
    const inputs = [{ InputAlias: 'input', FilePath: 'in.json' }];
    expect(await problemOf({ 'a.asaql': '', 'testConfig.json': config({ Inputs: inputs }) })).toEqual(
      refused('no file in.json'),
    );
    const reference = [{ InputAlias: 'input', Type: 'Reference Data', FilePath: 'in.json' }];
    expect(await problemOf({ 'a.asaql': '', 'testConfig.json': config({ Inputs: reference }) })).toEqual(
      refused('Reference Data'),
    );
    const broken = { 'a.asaql': '', 'in.json': '{"a":1}\n{', 'testConfig.json': config({ Inputs: inputs }) };
    expect(await problemOf(broken)).toEqual(refused('line 2'));
  });

  it('may hold events in an array or one a line, paths of Windows, and outputs that are not looked at', async () => {
    const files = {
      'a.asaql': 'SELECT x FROM input',
      'in.json': '\uFEFF[{"x":1},{"x":2}]',
      'out.json': '{"x":2}\r\n{"x":1}\r\n',
      'testConfig.json': config({
        Inputs: [{ InputAlias: 'input', Type: 'Data Stream', FilePath: '.\\in.json' }],
        ExpectedOutputs: [
          { OutputAlias: 'output', FilePath: 'out.json', Required: true },
          { OutputAlias: 'other', FilePath: '[N/A]', Required: false },
        ],
      }),
    };
    const [project] = (await problemOf(files)) as Awaited<ReturnType<typeof findProjects>>;
    expect(runCase(project!, project!.cases[0]!).problems).toEqual([]);
  });
});
