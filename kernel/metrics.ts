// The metrics port: what our code counts, independent of the collector. Names are in Prometheus form (`holdfast_..._total`,
// units last). Labels must come from configuration, never from data: a label value costs memory for ever.

export type Labels = Readonly<Record<string, string>>;

export interface Metrics {
  /** Adds `by` (default 1) to a counter. */
  count(name: string, labels?: Labels, by?: number): void;
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: Labels): void;
  /** Records one observation, in seconds for `_seconds`, bytes for `_bytes`. */
  observe(name: string, value: number, labels?: Labels): void;
}

export const noMetrics: Metrics = { count() {}, gauge() {}, observe() {} };
