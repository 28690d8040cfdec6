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
  /** kill -9, then a restart, once `meanwhile` is done. Resolves when the new process is ready; rejects as `meanwhile` does. */
  killAndRestart(meanwhile?: () => Promise<unknown>): Promise<ReadyLine>;
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

/** Generous: a database that starts on a small, busy machine takes a minute; who never starts mostly ends, which is seen at once. */
const defaultReadyTimeoutMs = 180_000;

const leash = new URL('./leash.ts', import.meta.url).href;

/** An absolute path in the repository. */
export const repositoryFile = (path: string): string =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));

const compileCache = repositoryFile('node_modules/.cache/compile');

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
      const supervised = new SupervisedProcess(spec, options, alive);
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

class SupervisedProcess implements Supervised {
  readonly name: string;
  readonly logFile: string;
  readonly #spec: ProcessSpec;
  readonly #options: ProcessesOptions;
  readonly #alive: Set<ChildProcess>;
  readonly #waiting: { resolve: (line: ReadyLine) => void; reject: (error: Error) => void }[] = [];
  #phase: ProcessState['phase'] = 'stopped';
  #child: ChildProcess | undefined;
  #ready: ReadyLine | undefined;
  #isWanted = false;
  #isKilled = false;
  #restarts = 0;
  #crashes = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  /** What is to be done before the next start. */
  #meanwhile: (() => Promise<unknown>) | undefined;

  constructor(spec: ProcessSpec, options: ProcessesOptions, alive: Set<ChildProcess>) {
    this.name = spec.name;
    this.logFile = join(options.folder, `${spec.name}.log`);
    this.#spec = spec;
    this.#options = options;
    this.#alive = alive;
  }

  state(): ProcessState {
    const pid = this.#child?.pid;
    const counts = { restarts: this.#restarts, crashes: this.#crashes };
    return { phase: this.#phase, ...(pid === undefined ? {} : { pid }), ...counts };
  }

  ready(): ReadyLine | undefined {
    return this.#ready;
  }

  start(): Promise<ReadyLine> {
    const ready = this.#nextReady();
    this.#isWanted = true;
    this.#launch();
    return ready;
  }

  killAndRestart(meanwhile?: () => Promise<unknown>): Promise<ReadyLine> {
    if (!this.#isWanted) return Promise.reject(new Error(`${this.name} is not running`));
    const ready = this.#nextReady();
    const before = this.#meanwhile;
    if (meanwhile) this.#meanwhile = before ? () => before().then(meanwhile) : meanwhile;
    // Between two lives there is nothing to kill; the next one is on its way.
    if (this.#child) {
      this.#isKilled = true;
      // A start that is cut short by this kill is no failure of the start.
      this.#phase = 'running';
      this.#say(`kill -9, process ${this.#child.pid}`);
      this.#child.kill('SIGKILL');
    }
    return ready;
  }

  async stop(graceMs = 8000): Promise<void> {
    this.#isWanted = false;
    clearTimeout(this.#restartTimer);
    const stopping = this.#child;
    if (stopping) {
      const gone = new Promise((resolve) => stopping.once('close', resolve));
      stopping.kill('SIGTERM');
      const impatience = setTimeout(() => {
        this.#say('does not stop, killed');
        stopping.kill('SIGKILL');
      }, graceMs);
      await gone;
      clearTimeout(impatience);
    }
    this.#phase = 'stopped';
    for (const one of this.#waiting.splice(0)) one.reject(new Error(`${this.name} was stopped`));
  }

  #launch(): void {
    const readyTimeoutMs = this.#options.readyTimeoutMs ?? defaultReadyTimeoutMs;
    this.#phase = 'starting';
    const started = spawnOnLeash(this.#spec, this.logFile);
    const isStarting = () => this.#child === started && this.#phase === 'starting';
    this.#child = started;
    this.#alive.add(started);
    const tooLate = setTimeout(() => {
      if (!isStarting()) return;
      this.#say(`not ready after ${readyTimeoutMs / 1000} s`);
      started.kill('SIGKILL');
    }, readyTimeoutMs);
    readLines(started.stdout as Readable, (line) => {
      if (!isStarting()) return;
      this.#phase = 'running';
      this.#ready = line;
      clearTimeout(tooLate);
      const { statusPort } = line;
      const status =
        typeof statusPort === 'number'
          ? `; its status: ./holdfast status --url http://127.0.0.1:${statusPort}`
          : '';
      this.#say(`running, process ${started.pid}${status}`);
      for (const one of this.#waiting.splice(0)) one.resolve(line);
    });
    // `close`, not `exit`: its output has then been read to the end.
    started.once('close', (code, signal) => {
      clearTimeout(tooLate);
      this.#alive.delete(started);
      if (this.#child === started) this.#ended(signal ?? `exit code ${code}`);
    });
    started.once('error', (error) => {
      this.#alive.delete(started);
      if (this.#child === started) this.#ended(error.message);
    });
  }

  #ended(how: string): void {
    const wasStarting = this.#phase === 'starting';
    this.#child = undefined;
    if (!this.#isWanted) {
      this.#phase = 'stopped';
      return;
    }
    if (!this.#isKilled) {
      this.#crashes += 1;
      this.#say(`ended by itself (${how})`);
    }
    this.#isKilled = false;
    if (wasStarting) this.#failWaiting(how);
    this.#phase = 'waiting';
    this.#restarts += 1;
    this.#restartTimer = setTimeout(() => this.#startAgain(), this.#options.restartDelayMs ?? 300);
  }

  async #startAgain(): Promise<void> {
    try {
      for (let next = this.#meanwhile; next !== undefined; next = this.#meanwhile) {
        this.#meanwhile = undefined;
        await next();
      }
    } catch (error) {
      for (const one of this.#waiting.splice(0)) one.reject(error as Error);
    }
    if (this.#isWanted) this.#launch();
  }

  #failWaiting(how: string): void {
    const error = new Error(`${this.name} did not start (${how}); its log ends with:\n${tail(this.logFile)}`);
    for (const one of this.#waiting.splice(0)) one.reject(error);
  }

  #nextReady(): Promise<ReadyLine> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #say(text: string): void {
    this.#options.onEvent?.(this.name, text);
  }
}

function spawnOnLeash(spec: ProcessSpec, logFile: string): ChildProcess {
  const log = openSync(logFile, 'a');
  try {
    return spawn(process.execPath, ['--import', leash, spec.script, ...(spec.args ?? [])], {
      // All of them compile the same modules, over and over.
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...spec.env },
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
