// RuleQueryError, the one error of parsing and compiling: what is wrong with a query, where, and what to do.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Position } from './tree.ts';

/** Code `rule-query-invalid`, or `rule-query-unsupported` for what the language has and these rules do not. */
export class RuleQueryError extends HoldfastError {
  readonly line: number;
  readonly column: number;

  constructor(at: Position, what: string, doInstead: string, isUnsupported = false) {
    super(
      isUnsupported ? 'rule-query-unsupported' : 'rule-query-invalid',
      `line ${at.line}, column ${at.column}: ${what}. ${doInstead}`,
    );
    this.line = at.line;
    this.column = at.column;
  }
}

/** For what Stream Analytics has, and these rules refuse by its name. */
export function refused(at: Position, what: string, doInstead: string): RuleQueryError {
  return new RuleQueryError(at, `${what} is not supported here`, doInstead, true);
}
