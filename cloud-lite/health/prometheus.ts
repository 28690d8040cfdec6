// The only importer of prom-client here.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Labels, Metrics } from '../../kernel/metrics.ts';

export interface PrometheusMetrics extends Metrics {
  /** Prometheus' text form. */
  text(): Promise<string>;
}

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const made = new Map<string, Counter | Gauge | Histogram>();
  const metric = <T extends Counter | Gauge | Histogram>(name: string, make: () => T): T => {
    const known = made.get(name);
    if (known !== undefined) return known as T;
    const fresh = make();
    made.set(name, fresh);
    return fresh;
  };
  const common = (name: string, labels: Labels) => ({
    name,
    help: name.replaceAll('_', ' '),
    labelNames: Object.keys(labels),
    registers: [registry],
  });
  return {
    count: (name, labels = {}, by = 1) =>
      metric(name, () => new Counter(common(name, labels))).inc(labels, by),
    gauge: (name, value, labels = {}) =>
      metric(name, () => new Gauge(common(name, labels))).set(labels, value),
    observe: (name, value, labels = {}) =>
      metric(name, () => new Histogram({ ...common(name, labels), buckets: seconds })).observe(labels, value),
    text: () => registry.metrics(),
  };
}
