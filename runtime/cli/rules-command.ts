// `holdfast rules ...`: rules tried and explained before they are deployed. The engine is loaded here alone, by the command.
import { Command } from 'commander';
import { describeError, HoldfastError } from '../../kernel/errors.ts';
import type { CompiledRule, RuleConfig } from '../rules/engine-api.ts';
import { collect } from './collect.ts';
import { exitCodes } from './exit-codes.ts';
import type { QueryNames } from './rules/rule-file.ts';
import type { CaseResult } from './rules/run-cases.ts';

export function rulesCommand(): Command {
  const rules = new Command('rules').description('try and explain rules').showHelpAfterError();
  rules
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? exitCodes.ok : exitCodes.badInput))
    .command('test')
    .description(
      'run the cases of a folder in the form of the Stream Analytics test tool, and show what differs',
    )
    .argument('<dir>', 'a project with testConfig.json, or a folder of such')
    .option(
      '--rule <file>',
      'instead of the query of the folder: that of a rule, from YAML with `rules`, or .asaql',
    )
    .option('--name <name>', 'of the rule, where the file has several')
    .option('--json', 'print a summary in the form of testResultSummary.json')
    .action(async (folder: string, options: TestOptions) => {
      process.exitCode = await orBadInput(() => testFolder(folder, options));
    });
  rules
    .command('explain')
    .description('what rules read, keep and write: windows, memory, rows a day')
    .argument('<file>', 'a query (.asaql), or YAML with `rules`')
    .argument('[name]', 'of one rule; all if none is named')
    .option('--json', 'for programs')
    .action(async (file: string, name: string | undefined, { json = false }: { json?: boolean }) => {
      process.exitCode = await orBadInput(() => explain(file, name, json));
    });
  rules
    .command('replay')
    .description('what rules would have decided on what was recorded; nothing is carried out')
    .argument('<recorded>', "a stopped module's data folder, or JSON lines of `run --to` or `spool export`")
    .requiredOption('--rule <file>', 'a query (.asaql), or YAML with `rules`')
    .option(
      '--input <name=stream>',
      'for a query: the stream that a name after FROM is; can be given several times',
      collect,
      [],
    )
    .option('--time <field>', 'for a query: what it calls the time of a row, as in TIMESTAMP BY')
    .option('--summary', 'only how many rows and actions there would have been')
    .option('-c, --config <file>', "the module's configuration: where the keys of an encrypted spool are")
    .option('--key-file <file>', 'a key of an encrypted spool; can be given several times', collect, [])
    .action(async (recorded: string, options: ReplayOptions) => {
      process.exitCode = await orBadInput(() => replayRecorded(recorded, options));
    });
  return rules;
}

interface TestOptions {
  readonly json?: boolean;
  readonly rule?: string;
  readonly name?: string;
}

interface ReplayOptions {
  readonly rule: string;
  readonly input: readonly string[];
  readonly time?: string;
  readonly summary?: boolean;
  readonly config?: string;
  readonly keyFile: readonly string[];
}

/** Rows as JSON lines on standard output, what they amount to on standard error. */
async function replayRecorded(path: string, options: ReplayOptions): Promise<number> {
  const { rule: file, summary: isSummary = false } = options;
  const { openKeys } = await import('./spool-keys.ts');
  const { readRecorded } = await import('./rules/recorded.ts');
  const { replayRule } = await import('./rules/replay.ts');
  const { readRuleSettings } = await import('./rules/rule-file.ts');
  const recorded = await readRecorded(path, (layout) => openKeys(layout, options));
  for (const problem of recorded.problems) console.error(`cannot be read: ${problem}`);
  const { rules, sources } = await readRuleSettings(file, recorded.streams, queryNames(options));
  let hasFailed = recorded.problems.length > 0;
  for (const settings of rules) {
    const done = await replayRule(settings, sources, recorded, (row) => {
      if (!isSummary) console.log(JSON.stringify(row));
    });
    hasFailed ||= done.problem !== undefined;
    console.error(JSON.stringify(done));
  }
  return hasFailed ? exitCodes.failed : exitCodes.ok;
}

function queryNames({ input, time }: ReplayOptions): QueryNames {
  const inputs = input.map((text): [string, string] => {
    const at = text.indexOf('=');
    if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
    throw new HoldfastError('rules-test-invalid', `--input ${text}: write NAME=STREAM, as input=press`);
  });
  return { ...(inputs.length > 0 && { inputs: new Map(inputs) }), ...(time !== undefined && { time }) };
}

async function orBadInput(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof HoldfastError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    console.error(describeError(error));
    return exitCodes.badInput;
  }
}

async function testFolder(
  folder: string,
  { json: asJson = false, rule, name }: TestOptions,
): Promise<number> {
  const { findProjects } = await import('./rules/test-project.ts');
  const { runCase } = await import('./rules/run-cases.ts');
  const { readRuleQuery } = await import('./rules/rule-file.ts');
  const own = rule === undefined ? undefined : await readRuleQuery(rule, name);
  const projects = await findProjects(folder, own);
  const results = projects.flatMap((project) => project.cases.map((one) => runCase(project, one)));
  const failed = results.filter(({ problems }) => problems.length > 0).length;
  if (asJson) console.log(JSON.stringify(summary(results, failed), null, 2));
  else {
    for (const { project, name, problems } of results) {
      console.log(`${problems.length === 0 ? 'passed' : 'FAILED'}  ${project}: ${name}`);
      for (const problem of problems) console.log(`        ${problem}`);
    }
    console.log(`${results.length} cases, ${failed} failed`);
  }
  return failed === 0 ? exitCodes.ok : exitCodes.failed;
}

function summary(results: readonly CaseResult[], failed: number) {
  return {
    Total: results.length,
    Passed: results.length - failed,
    Failed: failed,
    Results: results.map(({ project, name, problems }) => ({
      Name: name,
      Status: problems.length === 0 ? 0 : 1,
      Project: project,
      Problems: problems,
    })),
  };
}

async function explain(file: string, name: string | undefined, asJson: boolean): Promise<number> {
  const { compileRule } = await import('../rules/compile-rule.ts');
  const { explainRule, explanationText } = await import('../rules/explain.ts');
  const { readRuleConfigs } = await import('./rules/rule-file.ts');
  const configs = await readRuleConfigs(file);
  const chosen = name === undefined ? configs : configs.filter((config) => config.name === name);
  if (chosen.length === 0)
    throw new HoldfastError(
      'rules-test-invalid',
      `${file} has no rule ${name ?? ''}; it has: ${configs.map((config) => config.name).join(', ')}`,
    );
  const explained = chosen.map((config) => explainRule(compiled(config, compileRule)));
  console.log(asJson ? JSON.stringify(explained, null, 2) : explained.map(explanationText).join('\n\n'));
  return exitCodes.ok;
}

function compiled(config: RuleConfig, compileRule: (config: RuleConfig) => CompiledRule): CompiledRule {
  try {
    return compileRule(config);
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    throw new HoldfastError(cause.code, `rule ${config.name}: ${cause.message}`);
  }
}
