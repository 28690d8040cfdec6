// A real Prometheus with the published alert rules. What it watches is told by the name of the site, so that an alarm is seen at
// the one that has the trouble.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { freePort } from '../../lab/bench/peers/process.ts';
import { eventually } from './module-process.ts';
import { root } from './source-tree.ts';

export const monitoring = join(root, 'deploy/monitoring');

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
}

export const alertRules = (): { groups: { name: string; rules: AlertRule[] }[] } =>
  parse(readFileSync(join(monitoring, 'alerts.yaml'), 'utf8'));

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Prometheus {
  /** Scraped from now on, at another port if the site is known already. */
  watch(job: 'holdfast' | 'holdfast-detector', site: string, port: number): void;
  query(expr: string): Promise<readonly Series[]>;
  /** Names of the alarms that fire, sorted, each once. */
  firing(site: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** Its rules speak at once: none waits for the minutes that the published ones wait before they do. */
export async function startPrometheus(folder: string): Promise<Prometheus> {
  mkdirSync(folder, { recursive: true });
  const { groups } = alertRules();
  const atOnce = groups.map((group) => ({
    ...group,
    rules: group.rules.map(({ for: _, ...rule }) => rule),
  }));
  writeFileSync(join(folder, 'rules.yaml'), stringify({ groups: atOnce }));
  const jobs = ['holdfast', 'holdfast-detector'];
  const targets = new Map(jobs.map((job) => [job, new Map<string, number>()]));
  const targetsFile = (job: string) => join(folder, `${job}.json`);
  const config = {
    global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: jobs.map((job) => ({
      job_name: job,
      file_sd_configs: [{ files: [targetsFile(job)], refresh_interval: '1s' }],
    })),
  };
  writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
  const port = await freePort();
  const args = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child = spawn('prometheus', args, { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${url}/-/ready`)).ok);

  const query = async (expr: string): Promise<Series[]> => {
    const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
    const { data } = (await answer.json()) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  };
  return {
    watch(job, site, sitePort) {
      const all = targets.get(job)!.set(site, sitePort);
      const list = [...all].map(([name, at]) => ({
        targets: [`127.0.0.1:${at}`],
        labels: { site: name },
      }));
      // Read while it is written, it would be half a file.
      writeFileSync(`${targetsFile(job)}.new`, JSON.stringify(list));
      renameSync(`${targetsFile(job)}.new`, targetsFile(job));
    },
    query,
    async firing(site) {
      const alarms = await query(`ALERTS{alertstate="firing", site="${site}"}`);
      return [...new Set(alarms.map(({ metric }) => metric.alertname!))].sort();
    },
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}
