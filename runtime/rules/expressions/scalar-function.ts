import { RowProblem, type StaticType, type Value } from './values.ts';

export interface ScalarFunction {
  /** How many arguments it takes. */
  readonly least: number;
  readonly most: number;
  /** `first`: that of the first argument. */
  readonly type: StaticType | 'first';
  /** Nulls are given to it. */
  readonly takesNulls?: true;
  readonly run: (...args: Value[]) => Value;
}

/** Texts that a function makes, or looks for a pattern in. */
const maxText = 65_536;

/** @throws RowProblem */
export function bounded(text: string, what: string): string {
  if (text.length > maxText) throw new RowProblem(`${what} makes a text above ${maxText} characters`);
  return text;
}
