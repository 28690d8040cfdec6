// Implements the metrics port for Prometheus; the only importer of prom-client. To count adds to a number in a cell, found by the
// labels object; prom-client is given the numbers when the text is requested.
//
// Series are bounded: names and labels are those of a catalogue, values are cut, and each metric has so many series at most.
// Counting never throws: what does not fit is left out, and counted itself.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Labels, Metrics } from './metrics.ts';

export interface MetricDescription {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence, for the text and docs/METRICS.md. */
  readonly help: string;
  /** Names of its labels; all of them stand on each series. Default: none. */
  readonly labels?: readonly string[];
  /** Of a counter with one label: values that are known beforehand. It is at 0 for each from the start, so that its first step is seen. */
  readonly values?: readonly string[];
}

export type MetricCatalogue = Readonly<Record<string, MetricDescription>>;

/** The current value of one series, for metrics that are read from the module's state instead of counted. */
export interface Sample {
  readonly name: string;
  readonly value: number;
  readonly labels?: Labels;
}

export interface PrometheusOptions {
  readonly catalogue: MetricCatalogue;
  /** On every series. */
  readonly common?: Labels;
  /** For each metric. Default 2,000. */
  readonly maxSeries?: number;
}

export interface PrometheusMetrics extends Metrics {
  /** Prometheus' text form. `samples` take the place of those given before. */
  text(samples?: Iterable<Sample>): Promise<string>;
  /** Forgets series whose `label` has none of these values: of sources that are not configured any more. */
  keepOnly(label: string, values: ReadonlySet<string>): void;
}

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** The exporter's own metrics. */
export const ownMetrics = {
  holdfast_metrics_left_out_total: {
    type: 'counter',
    help: 'Values that no series was made for: a metric has so many series at most, and none outside of the catalogue.',
  },
} as const satisfies MetricCatalogue;

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const maxLabelChars = 256;
// Node's own default wakes the process 100 times a second.
const eventLoopLookMs = 200;
const none: Labels = {};

interface Cell {
  readonly labels: Labels;
  value: number;
  /** Forgotten: whoever still holds its labels begins another. */
  isGone: boolean;
}

interface Family {
  readonly description: MetricDescription;
  readonly exported: Counter | Gauge | Histogram;
  /** Most callers give the same object each time. */
  readonly byObject: WeakMap<Labels, Cell>;
  readonly byKey: Map<string, Cell>;
}

export function createPrometheusMetrics(options: PrometheusOptions): PrometheusMetrics {
  return new Exporter(options);
}

/** 0 between two looks that nothing was measured in: Node then has no number, or one of its largest. */
function lagOf(measuredSeconds: number): number {
  const lag = measuredSeconds - eventLoopLookMs / 1000;
  return lag > 0 && lag < 1e9 ? lag : 0;
}

class Exporter implements PrometheusMetrics {
  readonly #registry = new Registry();
  readonly #families = new Map<string, Family>();
  readonly #maxSeries: number;
  /** Read off the state, never counted. */
  readonly #sampled = new Set<string>();
  #leftOut = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor({ catalogue, common = none, maxSeries = 2000 }: PrometheusOptions) {
    this.#maxSeries = maxSeries;
    this.#registry.setDefaultLabels({ ...common });
    collectDefaultMetrics({
      register: this.#registry,
      prefix: 'holdfast_',
      eventLoopMonitoringPrecision: eventLoopLookMs,
    });
    this.#correctDefaults();
    for (const [name, description] of Object.entries({ ...ownMetrics, ...catalogue }))
      this.#add(name, description);
  }

  #correctDefaults(): void {
    // Gauges with the name of a counter, of which each is the sum of another gauge.
    for (const name of ['active_handles', 'active_requests', 'active_resources'])
      this.#registry.removeSingleMetric(`holdfast_nodejs_${name}_total`);
    // Node measures from one look to the next, so that an idle process has a lag of one interval.
    for (const name of ['min', 'max', 'mean', 'p50', 'p90', 'p99']) {
      const gauge = this.#registry.getSingleMetric(`holdfast_nodejs_eventloop_lag_${name}_seconds`);
      if (!(gauge instanceof Gauge)) continue;
      const set: (labels: object, value: number) => void = gauge.set.bind(gauge);
      const corrected = (labels: object, value: number) => set(labels, lagOf(value));
      gauge.set = corrected as typeof gauge.set;
    }
  }

  count(name: string, labels: Labels = none, by = 1): void {
    const cell = by >= 0 ? this.#cell(name, labels) : undefined;
    if (cell === undefined) this.#leftOut += 1;
    else cell.value += by;
  }

  gauge(name: string, value: number, labels: Labels = none): void {
    const cell = this.#cell(name, labels);
    if (cell === undefined) this.#leftOut += 1;
    else cell.value = value;
  }

  observe(name: string, value: number, labels: Labels = none): void {
    const cell = this.#cell(name, labels);
    const exported = this.#families.get(name)?.exported;
    if (cell === undefined || !(exported instanceof Histogram) || !Number.isFinite(value)) this.#leftOut += 1;
    else exported.observe(cell.labels, value);
  }

  keepOnly(label: string, values: ReadonlySet<string>): void {
    for (const { byKey, exported } of this.#families.values()) {
      for (const [key, cell] of byKey) {
        const value = cell.labels[label];
        if (value === undefined || values.has(value)) continue;
        byKey.delete(key);
        cell.isGone = true;
        exported.remove(cell.labels);
      }
    }
  }

  /** Calls run one after the other, since prom-client gathers across awaits. */
  text(samples: Iterable<Sample> = []): Promise<string> {
    const text = this.#last.then(() => {
      this.#show(samples);
      return this.#registry.metrics();
    });
    this.#last = text.catch(() => {});
    return text;
  }

  #add(name: string, description: MetricDescription): void {
    const { type, help, labels = [] } = description;
    const common = { name, help, labelNames: [...labels], registers: [this.#registry] };
    const make = {
      counter: () => new Counter(common),
      gauge: () => new Gauge(common),
      histogram: () => new Histogram({ ...common, buckets: seconds }),
    };
    const exported = make[type]();
    this.#families.set(name, { description, exported, byObject: new WeakMap(), byKey: new Map() });
    // Without labels a counter is there at 0, so that its first step is seen. Of a gauge nothing is known yet.
    if (type === 'counter' && labels.length === 0) this.count(name, none, 0);
    for (const value of description.values ?? []) this.count(name, { [labels[0]!]: value }, 0);
  }

  #cell(name: string, labels: Labels): Cell | undefined {
    const family = this.#families.get(name);
    if (family === undefined) return undefined;
    const known = family.byObject.get(labels);
    if (known !== undefined && !known.isGone) return known;
    const names = family.description.labels ?? [];
    const entries = Object.entries(labels);
    if (entries.length !== names.length || !names.every((each) => each in labels)) return undefined;
    const cut = Object.fromEntries(
      entries.map(([each, value]) => [each, String(value).slice(0, maxLabelChars)]),
    );
    const key = JSON.stringify(names.map((each) => cut[each]));
    let cell = family.byKey.get(key);
    if (cell === undefined && family.byKey.size >= this.#maxSeries) return undefined;
    if (cell === undefined) {
      cell = { labels: cut, value: 0, isGone: false };
      family.byKey.set(key, cell);
    }
    family.byObject.set(labels, cell);
    return cell;
  }

  #show(samples: Iterable<Sample>): void {
    const given = Map.groupBy(samples, ({ name }) => name);
    for (const name of given.keys()) this.#sampled.add(name);
    for (const [name, { exported, byKey }] of this.#families) {
      if (exported instanceof Histogram) continue;
      exported.reset();
      // prom-client begins a gauge without labels at 0; here nothing is known of it before it was set.
      if (exported instanceof Gauge) exported.remove({});
      const cells = [...byKey.values()].map(({ labels, value }) => ({ labels, value }));
      const series = this.#sampled.has(name) ? (given.get(name) ?? []) : cells;
      for (const { labels = none, value } of series.slice(0, this.#maxSeries)) {
        if (exported instanceof Gauge) exported.set({ ...labels }, value);
        else if (value > 0) exported.inc({ ...labels }, value);
        else exported.inc({ ...labels }, 0);
      }
      this.#leftOut += Math.max(0, series.length - this.#maxSeries);
    }
    (this.#families.get('holdfast_metrics_left_out_total')!.exported as Counter).inc(this.#leftOut);
  }
}
