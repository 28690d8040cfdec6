// Finds the inputs of a query that stands alone in a file: names after FROM that are no steps.
import { parseQuery } from '../language/parse-query.ts';
import type { Query } from '../language/tree.ts';

/** @throws RuleQueryError */
export function queryInputs(text: string): readonly string[] {
  const { steps, statements } = parseQuery(text);
  const stepNames = new Set(steps.map(({ name }) => name.toLowerCase()));
  const found = new Map<string, string>();
  const look = ({ selects }: Query): void => {
    for (const { from } of selects) {
      if (typeof from.of !== 'string') look(from.of);
      else if (!stepNames.has(from.of.toLowerCase()) && !found.has(from.of.toLowerCase()))
        found.set(from.of.toLowerCase(), from.of);
    }
  };
  for (const { query } of steps) look(query);
  for (const statement of statements) look(statement);
  return [...found.values()];
}
