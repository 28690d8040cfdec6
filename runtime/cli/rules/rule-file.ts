// Rules from a file, as `rules replay` takes them: a query, or YAML as a site has it, with its sources or without.
import { z } from 'zod';
import { HoldfastError } from '../../../kernel/errors.ts';
import { readNamedFile } from '../../../kernel/small-file.ts';
import { problemText } from '../../config/problem-text.ts';
import { readYaml } from '../../config/yaml-text.ts';
import { queryInputs } from '../../rules/compile/query-inputs.ts';
import { type RuleSettings, ruleSchema } from '../../rules/rule-settings.ts';

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
  const parsed = site.safeParse(read.value);
  if (!parsed.success) throw invalid(`${file}: ${z.prettifyError(parsed.error)}`);
  for (const { name, batchId = name } of parsed.data.sources) own.set(name, batchId);
  return { rules: parsed.data.rules, sources: own };
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
