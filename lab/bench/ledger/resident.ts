// Resident memory of the detector's process, with its database elsewhere or inside of it: a real hub's protocol, a fleet
// in the ledger, a backlog of messages, then messages as they come and a page that looks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { openEdgeModule } from '../../../cloud-lite/testing/edge-module.ts';
import { type Hub, startHub } from '../../hub/hub.ts';
import { median } from '../harness/numbers.ts';
import { cpuMicrosOf } from '../harness/usage.ts';

export interface ResidentOptions {
  /** What Node runs, and how. */
  readonly main: string;
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dashboard: string;
  /** Of PostgreSQL, or the folder of an embedded database. */
  readonly database: { readonly url: string } | { readonly dataFolder: string };
  readonly folder: string;
  readonly backlog: number;
  /** Messages a second, for so many seconds. */
  readonly rate: number;
  readonly seconds: number;
}

export interface Resident {
  /** Once it was ready, before anything was read. */
  readonly startedMB: number;
  /** Median while messages came and the page looked, after the backlog. */
  readonly steadyMB: number;
  /** The highest ever. */
  readonly peakMB: number;
  /** Processor time a message, AMQP and all, while the backlog was read. */
  readonly cpuMicrosPerMessage: number;
}

export async function measureResident(options: ResidentOptions): Promise<Resident> {
  const hub = await startHub();
  const sender = await openSender(hub);
  try {
    await sender.send(options.backlog);
    const detector = await startDetector(options, hub);
    try {
      const [startedMB, cpuBefore] = [memoryOf(detector.pid).residentMB, cpuMicrosOf(detector.pid)];
      await taken(detector.url, sender.sent());
      const cpuMicrosPerMessage = (cpuMicrosOf(detector.pid) - cpuBefore) / options.backlog;
      const samples: number[] = [];
      for (let second = 0; second < options.seconds; second++) {
        await Promise.all([sender.send(options.rate), look(detector.url), wait(1000)]);
        samples.push(memoryOf(detector.pid).residentMB);
      }
      const { peakMB } = memoryOf(detector.pid);
      return { startedMB, steadyMB: median(samples), peakMB, cpuMicrosPerMessage };
    } finally {
      await detector.stop();
    }
  } finally {
    await sender.close();
    await hub.stop();
  }
}

const gateways = 8;
const streams = 2000;
const inFlight = 64;
/** A message of about 4 KB: what IoT Hub meters as one. */
const readings = 50;

/** Windows of many streams, in turns, from gateways that fall to all partitions. */
async function openSender(hub: Hub) {
  const modules = await Promise.all(
    Array.from({ length: gateways }, (_, n) =>
      openEdgeModule({ hub, deviceId: `gateway-${n}`, moduleId: 'holdfast', index: 'sequence' }),
    ),
  );
  let next = 0;
  return {
    sent: () => next,
    async send(count: number) {
      const until = next + count;
      const turn = async () => {
        while (next < until) {
          const [stream, start] = [next % streams, Math.floor(next / streams) * readings];
          next++;
          const module = modules[stream % gateways]!;
          await module.send(`line-${stream}`, { start, end: start + readings }, { readings });
        }
      };
      await Promise.all(Array.from({ length: inFlight }, turn));
    },
    close: () => Promise.all(modules.map((module) => module.close())),
  };
}

async function startDetector(options: ResidentOptions, hub: Hub) {
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), options.main], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...process.env,
      ...options.env,
      NODE_ENV: 'production',
      NODE_COMPILE_CACHE: join(options.folder, 'compile-cache'),
      NODE_EXTRA_CA_CERTS: hub.caFile,
      ...('url' in options.database
        ? { DATABASE_URL: options.database.url }
        : { HOLDFAST_DATA_FOLDER: options.database.dataFolder }),
      HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
      HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
      HOLDFAST_DASHBOARD_FOLDER: options.dashboard,
      HOLDFAST_HTTP_PORT: '0',
    },
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  for await (const line of createInterface({ input: child.stdout })) {
    const { httpPort } = JSON.parse(line) as { httpPort: number };
    return {
      pid: child.pid!,
      url: `http://127.0.0.1:${httpPort}`,
      async stop() {
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
        process.off('exit', kill);
      },
    };
  }
  throw new Error('the detector ended before it was ready');
}

/** What an open page asks, and Prometheus. */
async function look(url: string): Promise<void> {
  for (const path of [
    '/',
    '/api/fleet',
    '/api/trend',
    '/api/summary',
    '/api/gaps',
    '/api/requests',
    '/metrics',
  ]) {
    const response = await fetch(`${url}${path}`);
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
  }
}

async function taken(url: string, messages: number): Promise<void> {
  const until = performance.now() + 120_000;
  while (performance.now() < until) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (Number(/^holdfast_ingest_events_total (\d+)/m.exec(text)?.[1] ?? 0) >= messages) return;
    await wait(200);
  }
  throw new Error('the backlog was not read in time');
}

function memoryOf(pid: number): { readonly residentMB: number; readonly peakMB: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { residentMB: megabytes('VmRSS'), peakMB: megabytes('VmHWM') };
}
