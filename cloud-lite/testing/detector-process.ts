// The detector as operations run it: a process of its own, configured by its environment.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { StreamView } from '../ledger/streams.ts';
import type { RequestView } from '../repair/request-views.ts';

export interface DetectorProcess {
  readonly url: string;
  /** What it wrote to stderr so far. */
  log(): string;
  streams(): Promise<readonly StreamView[]>;
  requests(): Promise<readonly RequestView[]>;
  /** As a power cut ends it. */
  kill(): Promise<void>;
  /** As an orchestrator ends it; the exit code. */
  stop(): Promise<number | null>;
}

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
/** Its database takes a minute on a small, busy machine; who waits in a hook has three. */
const readyLimitMs = 170_000;

export async function startDetector(
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  program: readonly string[] = [main],
): Promise<DetectorProcess> {
  const child = spawn(process.execPath, [...program, ...args], {
    env: { ...process.env, HOLDFAST_HTTP_PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-200_000);
  });
  const ready = await readyLine(child, () => said);
  const url = `http://127.0.0.1:${ready.httpPort}`;
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    return child.exitCode;
  };
  return {
    url,
    log: () => said,
    streams: async () => (await getJson<{ streams: StreamView[] }>(`${url}/api/streams`)).streams,
    requests: async () => (await getJson<{ requests: RequestView[] }>(`${url}/api/requests`)).requests,
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
  };
}

async function readyLine(child: ChildProcess, said: () => string): Promise<{ httpPort: number }> {
  let output = '';
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`the detector ${why}:\n${said()}`));
    const timer = setTimeout(() => fail('was not ready in time'), readyLimitMs);
    child.stdout!.on('data', (chunk) => {
      output += chunk;
      if (!output.includes('\n')) return;
      clearTimeout(timer);
      resolve(JSON.parse(output.slice(0, output.indexOf('\n'))));
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`ended with ${code}`);
    });
  });
}

async function getJson<T>(url: string): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
