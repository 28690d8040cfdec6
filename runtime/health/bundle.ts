// The support bundle: one archive with the module's status, metrics, configuration, last log lines, and facts about the
// machine. It holds no secret: everything in it passes `withoutSecrets`.
import { getServers } from 'node:dns';
import { arch, cpus, freemem, loadavg, networkInterfaces, release, totalmem, uptime } from 'node:os';
import type { LogEntry } from './log-entry.ts';
import { collectSecrets, valueWithoutSecrets, withoutSecrets } from './secrets.ts';
import { type ArchiveFile, tarGz } from './tar.ts';

export interface BundleParts {
  readonly now: number;
  readonly status: unknown;
  readonly config: unknown;
  /** Prometheus' text form; undefined where nothing counts. */
  readonly metrics: string | undefined;
  readonly log: readonly LogEntry[];
  readonly spool: unknown;
  readonly uplink: unknown;
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** @returns a gzipped tar archive. */
export async function makeBundle(parts: BundleParts): Promise<Uint8Array> {
  const secrets = await collectSecrets(parts.environment, parts.config);
  const clean = <T>(value: T) => valueWithoutSecrets(value, secrets) as T;
  const { status, config, spool, uplink, log, ...rest } = parts;
  const told = {
    ...rest,
    status: clean(status),
    config: clean(config),
    spool: clean(spool),
    uplink: clean(uplink),
  };
  const files = bundleFiles({ ...told, log: clean(log) }).map(({ name, text }) => ({
    name,
    text: withoutSecrets(text, secrets),
  }));
  return tarGz(files, parts.now);
}

const fewerLines = [300, 100, 30, 0];

/** The same within `maxBytes`, with as much of the log as fits; undefined where not even the rest does. */
export async function makeSmallBundle(parts: BundleParts, maxBytes: number): Promise<Uint8Array | undefined> {
  for (const lines of fewerLines) {
    const log = lines === 0 ? [] : parts.log.slice(-lines);
    const bundle = await makeBundle({ ...parts, log, ...(lines === 0 && { metrics: undefined }) });
    if (bundle.length <= maxBytes) return bundle;
  }
  return undefined;
}

function bundleFiles({ metrics, log, ...parts }: BundleParts): ArchiveFile[] {
  const json = (name: string, value: unknown) => ({
    name: `holdfast/${name}`,
    text: `${JSON.stringify(value, null, 2)}\n`,
  });
  return [
    json('status.json', parts.status),
    json('config.json', parts.config),
    json('spool.json', parts.spool),
    json('network.json', {
      uplink: parts.uplink,
      nameServers: getServers(),
      interfaces: networkInterfaces(),
    }),
    json('versions.json', { holdfast: parts.version, ...machine() }),
    { name: 'holdfast/log.jsonl', text: log.map((line) => `${JSON.stringify(line)}\n`).join('') },
    ...(metrics === undefined ? [] : [{ name: 'holdfast/metrics.txt', text: metrics }]),
  ];
}

function machine(): object {
  return {
    node: process.version,
    libraries: process.versions,
    kernel: release(),
    architecture: arch(),
    processors: cpus().map(({ model }) => model),
    memory: { total: totalmem(), free: freemem(), ofProcess: process.memoryUsage() },
    load: loadavg(),
    uptimeSeconds: { machine: uptime(), process: process.uptime() },
    arguments: process.execArgv,
  };
}
