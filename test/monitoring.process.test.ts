// A real Prometheus reads module and detector, with all that they say. What makes each alarm speak: alarms.process.test.ts.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type DetectorProcess, startDetector } from '../cloud-lite/testing/detector-process.ts';
import { type Hub, startHub } from '../lab/hub/hub.ts';
import { type Plant, startPlant } from '../lab/plant/plant.ts';
import { plantSources } from '../lab/plant/site.ts';
import { eventually, type ModuleProcess, startModule } from './support/module-process.ts';
import { missingPrograms } from './support/programs.ts';
import { alertRules, monitoring, type Prometheus, startPrometheus } from './support/prometheus.ts';
import { root } from './support/source-tree.ts';

const read = (name: string) => readFileSync(join(monitoring, name), 'utf8');
const rules = alertRules().groups.flatMap((group) => group.rules);
const isMissing = missingPrograms('prometheus', 'promtool');

describe('alert rules', () => {
  it('have a test each that makes them fire and one that does not, and a place in OPERATIONS', () => {
    const names = rules.map(({ alert }) => alert);
    const tests = parse(read('alerts.test.yaml')).tests as { name: string }[];
    const tested = tests.map(({ name }) => name);
    expect(tested.toSorted()).toEqual(names.flatMap((name) => [`${name} fires`, `${name} is quiet`]).sort());
    const told = readFileSync(join(root, 'docs/OPERATIONS.md'), 'utf8').matchAll(/^### (Holdfast\w+)$/gm);
    expect([...told].map(([, name]) => name).sort()).toEqual(names.toSorted());
  });

  it.skipIf(isMissing)('pass promtool, and so does every expression of the dashboard', () => {
    execFileSync('promtool', ['check', 'rules', 'alerts.yaml'], { cwd: monitoring });
    execFileSync('promtool', ['test', 'rules', 'alerts.test.yaml'], { cwd: monitoring });
    const panels = JSON.parse(read('grafana.json')).panels as { targets?: { expr: string }[] }[];
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(20);
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-dashboard-'));
    const asRules = expressions.map((expr, at) => ({
      record: `panel_${at}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$device', '.*'),
    }));
    writeFileSync(join(folder, 'panels.yaml'), stringify({ groups: [{ name: 'panels', rules: asRules }] }));
    execFileSync('promtool', ['check', 'rules', join(folder, 'panels.yaml')]);
    rmSync(folder, { recursive: true });
  });
});

describe.skipIf(isMissing)('a Prometheus that watches', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-monitoring-'));
  const configFile = join(folder, 'holdfast.yaml');
  let plant: Plant;
  let hub: Hub;
  let module: ModuleProcess;
  let detector: DetectorProcess;
  let prometheus: Prometheus;

  beforeAll(async () => {
    plant = await startPlant({ seed: 3, scanMs: 200, historyS: 60 });
    hub = await startHub();
    const [source] = plantSources(plant.info, { pollMs: 200 });
    const sources = [{ ...source, name: 'press' }];
    const settings = { dataFolder: join(folder, 'data'), sources, windows: { ageMs: 500, quietMs: 1000 } };
    writeFileSync(configFile, stringify({ ...settings, statusPort: 0 }));
    module = await startModule({
      config: configFile,
      env: {
        NODE_EXTRA_CA_CERTS: hub.caFile,
        HOLDFAST_CONNECTION_STRING: hub.deviceConnectionString('gw1', 'holdfast'),
      },
    });
    detector = await startDetector({
      HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
      HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
      HOLDFAST_DATA_FOLDER: join(folder, 'ledger'),
      NODE_EXTRA_CA_CERTS: hub.caFile,
    });
    prometheus = await startPrometheus(join(folder, 'prometheus'));
    prometheus.watch('holdfast', 'gw1', module.statusPort!);
    prometheus.watch('holdfast-detector', 'cloud', Number(new URL(detector.url).port));
  });

  afterAll(async () => {
    await module?.end('SIGTERM');
    await detector?.stop();
    await prometheus?.stop();
    await hub?.stop().catch(() => {});
    await plant?.stop().catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  });

  it('takes both, whole, with the labels of edgeHub, and no rule speaks while all is well', async () => {
    const { query, firing } = prometheus;
    await eventually(async () => (await query('holdfast_messages_sent_total > 2')).length > 0);
    await eventually(async () => (await query('holdfast_ingest_events_total > 2')).length > 0);
    await eventually(async () => (await query('up == 1')).length === 2);
    const [info] = await query('holdfast_info');
    expect(info!.metric).toMatchObject({
      iothub: expect.stringContaining('localhost'),
      edge_device: 'gw1',
      module_name: 'holdfast',
    });
    expect(info!.metric.instance_number).toMatch(/^[0-9a-f-]{36}$/);
    const [left] = await query('sum(holdfast_metrics_left_out_total)');
    expect(left!.value).toBe(0);
    const [series] = await query('count({job="holdfast", __name__=~"holdfast_.+"})');
    expect(series!.value).toBeGreaterThan(100);
    expect(series!.value).toBeLessThan(400);
    for (const port of [module.statusPort, new URL(detector.url).port]) {
      const input = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      execFileSync('promtool', ['check', 'metrics'], { input });
    }
    // Until the connection is up there is one alarm, and what waits for a minute is told of from then on.
    await eventually(async () => [...(await firing('gw1')), ...(await firing('cloud'))].length === 0);
  });
});
