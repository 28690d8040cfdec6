// Rules from a file, as `rules explain` and `rules replay` take them: a query, or YAML as a site has it, with its sources or without.
import { z } from 'zod';
import { HoldfastError } from '../../../kernel/errors.ts';
import { readNamedFile } from '../../../kernel/small-file.ts';
import { formatProblems, problemText } from '../../config/problem-text.ts';
import { parseParams, problemsOf, toProblem } from '../../config/problems.ts';
import { readYaml } from '../../config/yaml-text.ts';
import { queryInputs } from '../../rules/compile/query-inputs.ts';
import type { RuleConfig } from '../../rules/engine-api.ts';
import { inputStreams, type RuleSettings, ruleConfigOf, ruleSchema } from '../../rules/rule-settings.ts';

const maxFileBytes = 1024 * 1024;
const site = z.object({
  rules: z.array(ruleSchema).min(1, 'has no rule'),
  /** Where a stream has another id than its source has a name. */
  sources: z.array(z.object({ name: z.string(), batchId: z.string().optional() })).default([]),
});

/** `streams`: ids of what was recorded; each is a source of its own name unless the file says otherwise. @throws HoldfastError `rules-test-invalid` */
export async function readRuleSettings(
  file: string,
  streams: readonly string[],
): Promise<{ readonly rules: readonly RuleSettings[]; readonly sources: ReadonlyMap<string, string> }> {
  const text = (await readNamedFile(file, maxFileBytes)).toString('utf8');
  const own = new Map(streams.map((id) => [id, id]));
  if (!/\.(?:ya?ml|json)$/i.test(file)) return { rules: [ofQuery(text, streams)], sources: own };
  const read = readYaml(text, false);
  if (!('value' in read)) throw invalid(read.problems.map(problemText).join('; '));
  const { value, placeOf } = read;
  const parsed = site.safeParse(value, parseParams);
  if (!parsed.success) {
    const problems = problemsOf(parsed.error, value).map((raw) => toProblem(raw, placeOf, value));
    throw invalid(`${file}:\n${formatProblems(problems)}`);
  }
  for (const { name, batchId = name } of parsed.data.sources) own.set(name, batchId);
  return { rules: parsed.data.rules, sources: own };
}

/** To be compiled. A rule that names no inputs reads the file's sources; where it has none, what its query names. @throws HoldfastError */
export async function readRuleConfigs(file: string): Promise<readonly RuleConfig[]> {
  const { rules, sources } = await readRuleSettings(file, []);
  return rules.map((settings) => {
    const known = inputStreams(settings, sources);
    const named = known.size > 0 || settings.query === undefined ? [] : queryInputs(settings.query);
    return ruleConfigOf(settings, known.size > 0 ? known : new Map(named.map((input) => [input, []])));
  });
}

/** An input is the stream of its name; where one was recorded alone, that one. */
function ofQuery(query: string, streams: readonly string[]): RuleSettings {
  const inputs = queryInputs(query).map((input) => {
    const source = streams.includes(input) || streams.length !== 1 ? input : streams[0]!;
    return [input, { source }];
  });
  return ruleSchema.parse({
    name: 'query',
    query,
    inputs: Object.fromEntries(inputs),
    outputs: ['upstream'],
  });
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('rules-test-invalid', message);
}
