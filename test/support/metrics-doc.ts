// docs/METRICS.md, made from the catalogues: `npm run metrics --silent > docs/METRICS.md`.
import { pathToFileURL } from 'node:url';
import { metricCatalogue as detector } from '../../cloud-lite/health/metric-catalogue.ts';
import { type MetricCatalogue, ownMetrics } from '../../kernel/prometheus.ts';
import { adapterMetrics } from '../../runtime/adapters.ts';
import { metricCatalogue as module } from '../../runtime/health/metric-catalogue.ts';

const head = `# Metrics

Prometheus text form at \`/metrics\`: of the module on its status port (9600 under IoT Edge, as edgeHub and edgeAgent have it,
so that the metrics collector takes \`http://holdfast:9600/metrics\` among its endpoints; elsewhere on \`statusPort\`), of the detector on
its HTTP port. No token is needed. This page is made from the code, and a test holds both together.

Series of the module carry \`iothub\`, \`edge_device\`, \`module_name\` and \`instance_number\`, which is another one after each start, as those of
edgeHub do. All other labels come from the configuration or from a fixed list; \`source\` is a source's name, \`stream\` its \`batchId\`. A
metric has at most 2,000 series. Times are in seconds, sizes in bytes. What Node's process says of itself (memory, CPU, file
descriptors, event loop, garbage collection) is exported as prom-client names it, with \`holdfast_\` before it.

Alert rules, dashboards and queries are in \`deploy/monitoring/\`; [OPERATIONS.md](OPERATIONS.md#alarms) says what to do.
`;

export function metricsDocument(): string {
  return [
    head,
    section('Of the module', module),
    section('Of the adapters', adapterMetrics),
    section('Of the detector', detector),
    section('Of both', ownMetrics),
  ].join('\n');
}

function section(title: string, catalogue: MetricCatalogue): string {
  const rows = Object.entries(catalogue).map(
    ([name, { type, help, labels = [] }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return [
    `## ${title}`,
    '',
    '| metric | type | labels | what it says |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.stdout.write(metricsDocument());
