// The texts of an adapter that people read beside its page: of its metrics, its breaks in observation, and a configuration to
// begin with.
import type { MetricCatalogue, MetricDescription } from '../../kernel/prometheus.ts';

export interface AdapterTexts {
  /** What it counts of its own equipment, each with the label `source` at least. Default: nothing. */
  readonly metrics?: MetricCatalogue;
  /**
   * Its own reasons for a break, in words; those that adapters share are in break-words.ts. A break that an error caused has the
   * error's code.
   */
  readonly breaks?: Readonly<Record<string, string>>;
  /** For `holdfast init`: one commented source for a type of source, as YAML indented by two spaces. */
  readonly examples?: Readonly<Record<string, string>>;
}

export function sourceCounter(help: string, more: readonly string[] = []): MetricDescription {
  return { type: 'counter', help, labels: ['source', ...more] };
}
