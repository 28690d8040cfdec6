// The real module as a child process, with what tests ask of it.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { root } from './source-tree.ts';

export interface ModuleOptions {
  readonly config?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly node?: readonly string[];
}

export interface ModuleProcess {
  readonly child: ChildProcess;
  readonly statusPort: number | undefined;
  /** What it has logged so far. */
  log(): string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests know what they look for.
  status(): Promise<any>;
  /** Resolves with the exit code, or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | string | null>;
}

export interface FailedStart {
  readonly code: number | null;
  readonly output: string;
}

function launch({ config, env, node = [] }: ModuleOptions) {
  const args = config === undefined ? [] : ['--config', config];
  const child = spawn(process.execPath, [...node, 'runtime/main.ts', 'run', ...args, '--ready-line'], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  return { child, log: () => output };
}

export async function startModule(options: ModuleOptions): Promise<ModuleProcess> {
  const { child, log } = launch(options);
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once('line', resolve);
    child.once('close', (code) => reject(new Error(`ended with ${code} before it was ready:\n${log()}`)));
  });
  const { statusPort } = JSON.parse(line);
  return {
    child,
    statusPort,
    log,
    status: async () => (await fetch(`http://127.0.0.1:${statusPort}/status`)).json(),
    end: (signal) =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null)
          return resolve(child.exitCode ?? child.signalCode);
        child.once('close', (code, by) => resolve(code ?? by));
        child.kill(signal);
      }),
  };
}

/** Starts what is expected to end by itself. */
export async function failStart(options: ModuleOptions): Promise<FailedStart> {
  const { child, log } = launch(options);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output: log() };
}

/** Polls until `check` gives something truthy. @throws the last failure when time is over. */
export async function eventually<T>(check: () => T | Promise<T>, limitMs = 60_000): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await check();
      if (value) return value;
      last = new Error(`not within ${limitMs} ms: ${check}`);
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw last;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
