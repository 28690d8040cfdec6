// Compiles each rule as the module would, to find errors in its query and its outputs.
import { describeError } from '../../kernel/errors.ts';
import type { QueryProblem } from './check-rules.ts';
import { compileRule } from './compile-rule.ts';
import { inputStreams, type RuleSettings, ruleConfigOf } from './rule-settings.ts';

export function checkQueries(
  rules: readonly (RuleSettings | undefined)[],
  sources: ReadonlyMap<string, string>,
): readonly QueryProblem[] {
  return rules.flatMap((rule, at): readonly QueryProblem[] => {
    if (rule === undefined) return [];
    const place = ['rules', at];
    try {
      const { outputs } = compileRule(ruleConfigOf(rule, inputStreams(rule, sources)));
      if (Array.isArray(rule.outputs)) return [];
      const unknown = Object.keys(rule.outputs).filter((name) => !outputs.includes(name));
      const message = `is no output of this rule; it has: ${outputs.join(', ')}`;
      return unknown.map((name) => ({ path: [...place, 'outputs', name], message }));
    } catch (error) {
      return [
        { path: [...place, rule.query === undefined ? 'when' : 'query'], message: describeError(error) },
      ];
    }
  });
}
