// Metrics: what the code counts, what the catalogues describe, what docs/METRICS.md and the alert rules say of them.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { metricCatalogue as detector } from '../cloud-lite/health/metric-catalogue.ts';
import { type MetricCatalogue, ownMetrics } from '../kernel/prometheus.ts';
import { adapterMetrics } from '../runtime/adapters.ts';
import { metricCatalogue, stateMetrics } from '../runtime/health/metric-catalogue.ts';
import { metricsDocument } from './support/metrics-doc.ts';
import { root } from './support/source-tree.ts';

const module = { ...metricCatalogue, ...adapterMetrics };
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const counted = (folder: string) =>
  new Set(
    globSync(`${folder}/**/*.ts`, { cwd: root })
      .filter(
        (path) =>
          !/node_modules|\.test\.ts$|contract\.ts$|\/testing\/|-(metrics|catalogue)\.ts$|sources\/[^/]+\/texts\.ts$/.test(
            path,
          ),
      )
      .flatMap((path) => [...read(path).matchAll(/\bholdfast_[a-z_]+\b/g)].map(([name]) => name)),
  );

describe.each([
  ['runtime', module, Object.keys(stateMetrics)],
  ['cloud-lite', detector, []],
] as const)('the metrics of %s', (folder, catalogue: MetricCatalogue, readOff) => {
  it('are all described, and those described are all there', () => {
    const used = new Set([...counted(folder), ...readOff]);
    expect([...used].filter((name) => !(name in catalogue))).toEqual([]);
    expect(Object.keys(catalogue).filter((name) => !used.has(name))).toEqual([]);
  });

  it.each(Object.entries(catalogue))(
    '%s is named as Prometheus wants it',
    (name, { type, help, labels = [] }) => {
      expect(name).toMatch(/^holdfast_[a-z_]+[a-z]$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      expect(name).not.toMatch(/_(ms|millis|kb|mb)(_|$)/);
      expect(help).toMatch(/\.$/);
      for (const label of labels) expect(label).toMatch(/^[a-z_]+$/);
    },
  );
});

it('docs/METRICS.md is what the catalogues say: after a change, npm run metrics --silent > docs/METRICS.md', () => {
  expect(read('docs/METRICS.md')).toBe(metricsDocument());
});

it('alert rules, dashboards and queries name metrics that there are', () => {
  const known = new Set(Object.keys({ ...module, ...detector, ...ownMetrics }));
  const files = globSync('deploy/monitoring/**/*', { cwd: root }).filter((path) =>
    /\.(ya?ml|json|kql|workbook)$/.test(path),
  );
  expect(files.length).toBeGreaterThan(4);
  const unknown = files.flatMap((path) =>
    [...read(path).matchAll(/\bholdfast_[a-z_]+\b/g)].flatMap(([name]) => {
      const base = name.replace(/_(bucket|sum|count)$/, '');
      return known.has(name) || known.has(base) || /^holdfast_(process|nodejs)_/.test(name)
        ? []
        : [`${path}: ${name}`];
    }),
  );
  expect(unknown).toEqual([]);
});
