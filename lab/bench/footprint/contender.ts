// One program on one job, as a process of its own, and what the kernel says that it takes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { cpuMicrosOf } from '../harness/usage.ts';
import { memoryOf } from '../relay/hub-beside.ts';

export interface Program {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** How many readings it has taken so far, as it says itself; called while it runs. Absent: its lines say so. */
  readonly readings?: (started: Started) => Promise<number>;
}

export interface Started {
  readonly pid: number;
  /** The newest line of JSON that it printed. */
  readonly said: () => Readonly<Record<string, unknown>> | undefined;
  /** Its first line. */
  readonly spoken: Promise<unknown>;
  stop(): Promise<void>;
}

export interface Observed {
  readonly residentMB: number;
  readonly cpuPercent: number;
  readonly cpuMicrosPerReading: number;
  readonly readingsPerSecond: number;
  /** Of a straight line through the samples. */
  readonly growthMBPerHour: number;
}

export function start({ args, env }: Program): Started {
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = once(child, 'exit');
  let last: Readonly<Record<string, unknown>> | undefined;
  const lines = createInterface(child.stdout!);
  lines.on('line', (line) => {
    if (line.startsWith('{')) last = JSON.parse(line);
  });
  return {
    pid: child.pid!,
    said: () => last,
    spoken: Promise.race([
      once(lines, 'line'),
      ended.then(() => Promise.reject(new Error(`${args[0]} ended at once`))),
    ]),
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(kill, 10_000);
      await ended;
      clearTimeout(timer);
      process.off('exit', kill);
    },
  };
}

/** @throws Error when it takes no readings, except where `isIdle`. */
export async function observe(
  program: Program,
  { warmupMs, measureMs, isIdle = false }: { warmupMs: number; measureMs: number; isIdle?: boolean },
): Promise<Observed> {
  const started = start(program);
  try {
    await started.spoken;
    await wait(warmupMs);
    const count = async () => (await program.readings?.(started)) ?? Number(started.said()?.readings ?? 0);
    const before = { at: performance.now(), cpu: cpuMicrosOf(started.pid), readings: await count() };
    const samples: [number, number][] = [];
    while (performance.now() - before.at < measureMs) {
      await wait(1000);
      samples.push([(performance.now() - before.at) / 3.6e6, memoryOf(started.pid).residentMB]);
    }
    const seconds = (performance.now() - before.at) / 1000;
    const cpu = cpuMicrosOf(started.pid) - before.cpu;
    const readings = (await count()) - before.readings;
    if (readings === 0 && !isIdle) throw new Error(`${program.name} took no readings`);
    return {
      residentMB: Math.max(...samples.map(([, megabytes]) => megabytes)),
      cpuPercent: cpu / seconds / 1e4,
      cpuMicrosPerReading: cpu / readings,
      readingsPerSecond: readings / seconds,
      growthMBPerHour: slope(samples),
    };
  } finally {
    await started.stop();
  }
}

/** Of the straight line with the least squares. */
export function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (of: 0 | 1) => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const across = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return across === 0 ? 0 : points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / across;
}
