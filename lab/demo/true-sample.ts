import type { Value } from '../../wire/reading.ts';

export type Values = Readonly<Record<string, Value>>;

/** One sample as the plant made it, or one answer as it was given. `at`: epoch ms. */
export interface TrueSample {
  readonly at: number;
  readonly values: Values;
}
