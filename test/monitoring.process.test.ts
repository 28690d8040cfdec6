// A real Prometheus reads module and detector: every rule is quiet while all is well, and the right one speaks in each trouble.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { freePort } from '../lab/bench/peers/process.ts';
import { type Hub, startHub } from '../lab/hub/hub.ts';
import { type Plant, startPlant } from '../lab/plant/plant.ts';
import { plantSources } from '../lab/plant/site.ts';
import { eventually, type ModuleProcess, startModule } from './support/module-process.ts';
import { missingPrograms } from './support/programs.ts';
import { root } from './support/source-tree.ts';

const monitoring = join(root, 'deploy/monitoring');
const read = (name: string) => readFileSync(join(monitoring, name), 'utf8');
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
}
const rules = parse(read('alerts.yaml')).groups.flatMap(({ rules }: { rules: Rule[] }) => rules) as Rule[];
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
  const children: ChildProcess[] = [];
  let plant: Plant;
  let hub: Hub;
  let module: ModuleProcess;
  let url: string;

  beforeAll(async () => {
    plant = await startPlant({ seed: 3, scanMs: 200, historyS: 60 });
    hub = await startHub();
    writeConfig();
    module = await startModule({
      config: configFile,
      env: {
        NODE_EXTRA_CA_CERTS: hub.caFile,
        HOLDFAST_CONNECTION_STRING: hub.deviceConnectionString('gw1', 'holdfast'),
      },
    });
    const detector = await startDetector();
    url = await startPrometheus(module.statusPort!, detector);
  });

  afterAll(async () => {
    await module?.end('SIGTERM');
    await Promise.all(
      children.map(
        (child) =>
          new Promise((resolve) => {
            if (child.exitCode !== null || child.signalCode !== null) return resolve(undefined);
            child.once('exit', resolve);
            child.kill('SIGTERM');
          }),
      ),
    );
    await hub?.stop().catch(() => {});
    await plant?.stop().catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  });

  function writeConfig(more: object = {}): void {
    const [source] = plantSources(plant.info, { pollMs: 200 });
    const sources = [{ ...source, name: 'press' }];
    const settings = { dataFolder: join(folder, 'data'), sources, windows: { ageMs: 500, quietMs: 1000 } };
    writeFileSync(configFile, stringify({ ...settings, statusPort: 0, ...more }));
  }

  async function startDetector(): Promise<number> {
    mkdirSync(join(folder, 'ledger'));
    const child = spawn(process.execPath, ['cloud-lite/main.ts'], {
      cwd: root,
      env: {
        ...process.env,
        HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
        HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
        HOLDFAST_DATA_FOLDER: join(folder, 'ledger'),
        HOLDFAST_HTTP_PORT: '0',
        NODE_EXTRA_CA_CERTS: hub.caFile,
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(child);
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout! }).once('line', resolve);
      child.once('exit', (code) => reject(new Error(`the detector ended with ${code}`)));
    });
    return JSON.parse(line).httpPort;
  }

  /** With the published rules, which here need not hold for minutes before they speak. */
  async function startPrometheus(modulePort: number, detectorPort: number): Promise<string> {
    const atOnce = parse(read('alerts.yaml'));
    for (const group of atOnce.groups) for (const rule of group.rules) delete rule.for;
    writeFileSync(join(folder, 'rules.yaml'), stringify(atOnce));
    const job = (name: string, port: number) => ({
      job_name: name,
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    });
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yaml'],
      scrape_configs: [job('holdfast', modulePort), job('holdfast-detector', detectorPort)],
    };
    writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
    const port = await freePort();
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'prometheus')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    children.push(child);
    const at = `http://127.0.0.1:${port}`;
    await eventually(async () => (await fetch(`${at}/-/ready`)).ok);
    return at;
  }

  async function query(expr: string): Promise<{ metric: Record<string, string>; value: number }[]> {
    const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const { data } = (await answer.json()) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  const firing = async () =>
    (await query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric.alertname!).sort();

  it('takes both, whole, with the labels of edgeHub, and no rule speaks while all is well', async () => {
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
    // Until the connection is up there is one alarm, and what waits for a minute is told of from then on.
    await eventually(async () => (await firing()).length === 0);
  });

  it('says which source is gone, that the hub is gone, and that a configuration is refused, and takes it back', async () => {
    await plant.stop();
    await eventually(async () => (await firing()).includes('HoldfastSourceDisconnected'));
    const [source] = await query('ALERTS{alertname="HoldfastSourceDisconnected"}');
    expect(source!.metric).toMatchObject({ source: 'press', edge_device: 'gw1' });
    writeConfig({ logLevel: 'loud' });
    await eventually(async () => (await firing()).includes('HoldfastConfigRefused'));
    writeConfig();
    await eventually(async () => !(await firing()).includes('HoldfastConfigRefused'));
    await hub.stop();
    await eventually(async () => (await firing()).includes('HoldfastUplinkDown'));
    expect(await firing()).not.toContain('HoldfastDown');
    await module.end('SIGKILL');
    await eventually(async () => (await firing()).includes('HoldfastDown'));
  });
});
