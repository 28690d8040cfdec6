// The demo's children: started, watched, restarted when they die (as edgeAgent does on a device), stopped.
//
// Nothing may be left over. `stopAll` covers the planned ends; the exit hook covers a crash of the demo; the
// leash (leash.ts) covers a kill -9 of the demo, when no code of it runs any more. Children get a process
// group of their own, so that Ctrl-C reaches the demo alone, which then stops them in order.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface ProcessSpec {
  readonly name: string;
  /** Absolute path of the script that Node runs. */
  readonly script: string;
  readonly args?: readonly string[];
  /** Added to the demo's own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The one line of JSON that a child prints once it serves, with its ports. */
export type ReadyLine = Readonly<Record<string, unknown>> & { readonly ready: true };

export interface ProcessState {
  readonly phase: 'stopped' | 'starting' | 'running' | 'waiting';
  readonly pid?: number;
  /** How often it was started again, whatever the cause. */
  readonly restarts: number;
  /** How often it ended without anyone here having asked for it. */
  readonly crashes: number;
}

export interface Supervised {
  readonly name: string;
  readonly logFile: string;
  state(): ProcessState;
  /** The newest ready line; undefined until the first. */
  ready(): ReadyLine | undefined;
  /** Starts it and, from then on, starts it again whenever it ends. Resolves with the first ready line. */
  start(): Promise<ReadyLine>;
  /** kill -9, then a restart. Resolves when the new process is ready. */
  killAndRestart(): Promise<ReadyLine>;
  /** SIGTERM, and SIGKILL to what is still there after `graceMs`. Resolves when it is gone. */
  stop(graceMs?: number): Promise<void>;
}

export interface Processes {
  supervise(spec: ProcessSpec): Supervised;
  /** In the order in which they were given. */
  all(): readonly Supervised[];
  /** Stops all, last started first. */
  stopAll(): Promise<void>;
}

export interface ProcessesOptions {
  /** Where the logs go; must exist. */
  readonly folder: string;
  /** Told, for people, what happened to which process. */
  readonly onEvent?: (name: string, text: string) => void;
  readonly readyTimeoutMs?: number;
  readonly restartDelayMs?: number;
}

const leash = new URL('./leash.ts', import.meta.url).href;

/** An absolute path in the repository. */
export const repositoryFile = (path: string): string =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));

export function createProcesses(options: ProcessesOptions): Processes {
  const all: Supervised[] = [];
  const alive = new Set<ChildProcess>();
  // `exit` handlers run on every end that is not a signal to the demo itself: nothing asynchronous helps here.
  const onExit = () => {
    for (const child of alive) child.kill('SIGKILL');
  };
  process.on('exit', onExit);
  return {
    supervise(spec) {
      const supervised = superviseOne(spec, options, alive);
      all.push(supervised);
      return supervised;
    },
    all: () => all,
    async stopAll() {
      for (const supervised of all.toReversed()) await supervised.stop();
      process.off('exit', onExit);
    },
  };
}

function superviseOne(spec: ProcessSpec, options: ProcessesOptions, alive: Set<ChildProcess>): Supervised {
  const logFile = join(options.folder, `${spec.name}.log`);
  const readyTimeoutMs = options.readyTimeoutMs ?? 60_000;
  const restartDelayMs = options.restartDelayMs ?? 300;
  const say = (text: string) => options.onEvent?.(spec.name, text);
  let phase: ProcessState['phase'] = 'stopped';
  let child: ChildProcess | undefined;
  let lastReady: ReadyLine | undefined;
  let wanted = false;
  let killed = false;
  let restarts = 0;
  let crashes = 0;
  let restartTimer: NodeJS.Timeout | undefined;
  const waiting: { resolve: (line: ReadyLine) => void; reject: (error: Error) => void }[] = [];

  function launch(): void {
    phase = 'starting';
    const started = spawnOnLeash(spec, logFile);
    child = started;
    alive.add(started);
    const tooLate = setTimeout(() => {
      if (child !== started || phase !== 'starting') return;
      say(`not ready after ${readyTimeoutMs / 1000} s`);
      started.kill('SIGKILL');
    }, readyTimeoutMs);
    readLines(started.stdout as Readable, (line) => {
      if (child !== started || phase !== 'starting') return;
      phase = 'running';
      lastReady = line;
      clearTimeout(tooLate);
      say(`running, process ${started.pid}`);
      for (const one of waiting.splice(0)) one.resolve(line);
    });
    // `close`, not `exit`: its output has then been read to the end.
    started.once('close', (code, signal) => {
      clearTimeout(tooLate);
      alive.delete(started);
      if (child === started) ended(signal ?? `exit code ${code}`);
    });
    started.once('error', (error) => {
      alive.delete(started);
      if (child === started) ended(error.message);
    });
  }

  function ended(how: string): void {
    const wasStarting = phase === 'starting';
    child = undefined;
    if (!wanted) {
      phase = 'stopped';
      return;
    }
    if (!killed) {
      crashes += 1;
      say(`ended by itself (${how})`);
    }
    killed = false;
    if (wasStarting) failWaiting(how);
    phase = 'waiting';
    restarts += 1;
    restartTimer = setTimeout(launch, restartDelayMs);
  }

  function failWaiting(how: string): void {
    const error = new Error(`${spec.name} did not start (${how}); its log ends with:\n${tail(logFile)}`);
    for (const one of waiting.splice(0)) one.reject(error);
  }

  const nextReady = () => new Promise<ReadyLine>((resolve, reject) => waiting.push({ resolve, reject }));

  return {
    name: spec.name,
    logFile,
    state: () => ({ phase, ...(child?.pid === undefined ? {} : { pid: child.pid }), restarts, crashes }),
    ready: () => lastReady,
    start() {
      const ready = nextReady();
      wanted = true;
      launch();
      return ready;
    },
    killAndRestart() {
      if (!wanted) return Promise.reject(new Error(`${spec.name} is not running`));
      const ready = nextReady();
      // Between two lives there is nothing to kill; the next one is on its way.
      if (child) {
        killed = true;
        // A start that is cut short by this kill is no failure of the start.
        phase = 'running';
        say(`kill -9, process ${child.pid}`);
        child.kill('SIGKILL');
      }
      return ready;
    },
    async stop(graceMs = 8000) {
      wanted = false;
      clearTimeout(restartTimer);
      const stopping = child;
      if (stopping) {
        const gone = new Promise((resolve) => stopping.once('close', resolve));
        stopping.kill('SIGTERM');
        const impatience = setTimeout(() => {
          say('does not stop, killed');
          stopping.kill('SIGKILL');
        }, graceMs);
        await gone;
        clearTimeout(impatience);
      }
      phase = 'stopped';
      for (const one of waiting.splice(0)) one.reject(new Error(`${spec.name} was stopped`));
    },
  };
}

function spawnOnLeash(spec: ProcessSpec, logFile: string): ChildProcess {
  const log = openSync(logFile, 'a');
  try {
    return spawn(process.execPath, ['--import', leash, spec.script, ...(spec.args ?? [])], {
      env: { ...process.env, ...spec.env },
      // stdin: nothing. stderr: straight to the file, so that the last words of a killed process are there.
      stdio: ['ignore', 'pipe', log, 'pipe'],
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}

/** Reads all of a child's output, so that it never blocks on a full pipe, and reports the ready line. */
function readLines(stdout: Readable, onReady: (line: ReadyLine) => void): void {
  createInterface({ input: stdout }).on('line', (text) => {
    if (!text.startsWith('{')) return;
    try {
      const line: unknown = JSON.parse(text);
      if (typeof line === 'object' && line !== null && (line as ReadyLine).ready === true) {
        onReady(line as ReadyLine);
      }
    } catch {
      // Not a line for us.
    }
  });
}

export function tail(file: string, lines = 12): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}
