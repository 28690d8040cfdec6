// Runs one measured part in a Node process of its own. The part gets its settings as JSON and prints one line
// of JSON for each mark it passes; the last one carries its results.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Mark {
  /** `start` and `end` of what is measured, or another name. */
  readonly mark: string;
  readonly [name: string]: unknown;
}

export interface ChildOptions {
  /** Called for every mark, at once. */
  readonly onMark?: (mark: Mark, child: ChildProcess) => void;
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The child's last mark. @throws Error when it fails, or prints none. */
export async function runChild(
  file: URL,
  settings: object,
  options: ChildOptions = {},
): Promise<Readonly<Record<string, number>>> {
  const child = spawn(
    process.execPath,
    [...(options.nodeArgs ?? []), fileURLToPath(file), JSON.stringify(settings)],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...options.env } },
  );
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let last: Mark | undefined;
  createInterface(child.stdout).on('line', (line) => {
    // A library may print words of its own.
    if (!line.startsWith('{')) return;
    last = JSON.parse(line) as Mark;
    options.onMark?.(last, child);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  process.off('exit', kill);
  // A part may end itself by SIGKILL, after its last mark: to leave a store as a crash does.
  if (last === undefined || (code !== 0 && signal !== 'SIGKILL') || last.mark !== 'end') {
    throw new Error(`${fileURLToPath(file)} failed (code ${code}, signal ${signal})`);
  }
  return last as unknown as Readonly<Record<string, number>>;
}

/** In the child: its settings. */
export function childSettings<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

/** In the child: passes a mark. */
export function mark(name: string, values: object = {}): void {
  process.stdout.write(`${JSON.stringify({ mark: name, ...values })}\n`);
}
