// The real module process in the gateway's namespace, seen over the field's cable.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { type Footprint, footprintOf } from './footprint.ts';
import type { ModuleStatus } from './promises.ts';
import { addresses } from './site.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const leash = new URL('../demo/leash.ts', import.meta.url).href;

export interface GatewayOptions {
  readonly namespace: string;
  /** For data, configuration and log; must exist. */
  readonly folder: string;
  readonly sources: readonly object[];
  /** Who the module is, as IoT Edge says it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly sendTimeoutMs: number;
}

export interface Gateway {
  readonly logFile: string;
  status(): Promise<ModuleStatus>;
  /** What the status page and `holdfast status` are made of. */
  overview(): Promise<{ readonly troubles: readonly { readonly text: string }[] }>;
  footprint(): Footprint;
  /** The exit code, once it has ended by itself. */
  exited(): number | null | undefined;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  kill(): void;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const configFile = join(options.folder, 'holdfast.yaml');
  writeFileSync(configFile, stringify(configuration(options)));
  const logFile = join(options.folder, 'module.log');
  const log = openSync(logFile, 'a');
  const args = ['--import', leash, 'runtime/main.ts', 'run', '--config', configFile, '--ready-line'];
  // `ip netns exec` becomes what it starts: the child's pid is the module's.
  const child = spawn('ip', ['netns', 'exec', options.namespace, process.execPath, ...args], {
    cwd: root,
    env: {
      ...process.env,
      ...options.environment,
      HOLDFAST_LOG_LEVEL: 'info',
      HOLDFAST_LOG_FORMAT: 'json',
      HOLDFAST_STATUS_TOKEN: statusToken,
    },
    stdio: ['ignore', 'pipe', log, 'pipe'],
  });
  closeSync(log);
  let exitCode: number | null | undefined;
  const ended = new Promise<number | null>((resolve) =>
    child.once('exit', (code) => {
      exitCode = code;
      resolve(code);
    }),
  );
  const { statusPort } = await readyLine(child, logFile);
  const get = async <T>(path: string) =>
    (
      await fetch(`http://${addresses.gatewayField}:${statusPort}${path}`, {
        headers: { authorization: `Bearer ${statusToken}` },
        signal: AbortSignal.timeout(10_000),
      })
    ).json() as Promise<T>;
  return {
    logFile,
    status: () => get('/status'),
    overview: () => get('/overview'),
    footprint: () => footprintOf(child.pid!),
    exited: () => exitCode,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** It is asked from another network namespace. */
const statusToken = 'asked-by-the-outages';

function configuration({ folder, sources, sendTimeoutMs }: GatewayOptions): object {
  return {
    dataFolder: join(folder, 'data'),
    sources,
    windows: { ageMs: 500, quietMs: 2000 },
    spool: { commitIntervalMs: 100 },
    uplink: { sendTimeoutMs },
    statusPort: 0,
    statusHost: addresses.gatewayField,
  };
}

function readyLine(child: ChildProcess, logFile: string): Promise<{ statusPort: number }> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout as Readable }).once('line', (line) => resolve(JSON.parse(line)));
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`the module ended with ${code} before it was ready; its log is ${logFile}`)),
    );
  });
}
