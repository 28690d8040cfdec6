// The part of the configuration's schema that belongs to the rules, and the checks that only the engine can make.
import type { QueryProblem, SourceFacts } from './check-rules.ts';
import type { RuleSettings } from './rule-settings.ts';

export { checkRules, type SourceFacts } from './check-rules.ts';
export { type RuleSettings, ruleSchema, soundRule } from './rule-settings.ts';

/** What is wrong with the queries. Loads the engine, so only where there are rules. */
export async function queryProblems(
  rules: readonly (RuleSettings | undefined)[],
  sources: readonly Pick<SourceFacts, 'name' | 'streamId' | 'tags' | 'writable'>[],
  nearest: (text: string, known: Iterable<string>) => string | undefined,
): Promise<readonly QueryProblem[]> {
  if (rules.length === 0) return [];
  const { checkQueries } = await import('./check-queries.ts');
  return checkQueries(rules, sources, nearest);
}
