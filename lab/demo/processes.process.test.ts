import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createProcesses, type Processes, repositoryFile } from './processes.ts';

const script = repositoryFile('lab/demo/testing/child.ts');
const parent = repositoryFile('lab/demo/testing/parent.ts');

let folder: string;
let processes: Processes;
let events: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  events = [];
  processes = createProcesses({
    folder,
    onEvent: (name, text) => events.push(`${name}: ${text}`),
    readyTimeoutMs: 5000,
    restartDelayMs: 20,
  });
});

afterEach(async () => {
  await processes.stopAll();
  rmSync(folder, { recursive: true });
});

const child = (behaviour = 'good') => processes.supervise({ name: 'child', script, args: [behaviour] });

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie still answers to signal 0.
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

describe('a supervised process', () => {
  test('is running once it has said so, and its stderr is in the log', async () => {
    const it = child();
    const line = await it.start();
    expect(it.state()).toEqual({ phase: 'running', pid: line.pid, restarts: 0, crashes: 0 });
    await expect.poll(() => readFileSync(it.logFile, 'utf8')).toContain('about to work');
  });

  test('stops on SIGTERM', async () => {
    const it = child();
    const { pid } = await it.start();
    await it.stop();
    expect(lives(pid as number)).toBe(false);
    expect(it.state()).toEqual({ phase: 'stopped', restarts: 0, crashes: 0 });
  });

  test('is killed when it ignores SIGTERM', async () => {
    const it = child('ignores-sigterm');
    const { pid } = await it.start();
    await it.stop(50);
    expect(lives(pid as number)).toBe(false);
    expect(events).toContain('child: does not stop, killed');
  });

  test('comes back as another process after a kill -9, which is not a crash', async () => {
    const it = child();
    const first = await it.start();
    const second = await it.killAndRestart();
    expect(second.pid).not.toBe(first.pid);
    expect(lives(first.pid as number)).toBe(false);
    expect(it.state()).toMatchObject({ phase: 'running', restarts: 1, crashes: 0 });
  });

  test('comes back once all is done that was to be done meanwhile', async () => {
    const it = child();
    const first = await it.start();
    const seen: boolean[] = [];
    const meanwhile = async () => void seen.push(lives(first.pid as number));
    const [second, again] = await Promise.all([it.killAndRestart(meanwhile), it.killAndRestart(meanwhile)]);
    expect(seen).toEqual([false, false]);
    expect(again.pid).toBe(second.pid);
    await expect(it.killAndRestart(() => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk');
  });

  test('comes back when it ends by itself, which is a crash', async () => {
    const it = child('crashes');
    await it.start();
    await expect.poll(() => it.state().crashes).toBeGreaterThan(0);
    expect(events).toContain('child: ended by itself (exit code 1)');
    await expect.poll(() => it.state().restarts).toBeGreaterThan(0);
  });

  test('that cannot start says why, with the end of its log', async () => {
    await expect(child('fails').start()).rejects.toThrow(/exit code 3[\s\S]*no such luck/);
  });

  test('that never gets ready is killed and reported', async () => {
    processes = createProcesses({ folder, readyTimeoutMs: 300, restartDelayMs: 20 });
    await expect(child('never-ready').start()).rejects.toThrow(/SIGKILL/);
  });
});

describe('nothing is left over when the demo', () => {
  async function runParent(ending: string): Promise<{ demo: ReturnType<typeof spawn>; childPid: number }> {
    const demo = spawn(process.execPath, [parent, folder, script, ending], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [chunk] = await once(demo.stdout as NodeJS.ReadableStream, 'data');
    const childPid = Number(String(chunk).trim());
    expect(childPid).toBeGreaterThan(0);
    return { demo, childPid };
  }

  test('dies of an exception', async () => {
    const { demo, childPid } = await runParent('throws');
    if (demo.exitCode === null) await once(demo, 'exit');
    await expect.poll(() => lives(childPid), { timeout: 90_000 }).toBe(false);
  });

  test('is killed with kill -9', async () => {
    const { demo, childPid } = await runParent('waits');
    expect(lives(childPid)).toBe(true);
    demo.kill('SIGKILL');
    await expect.poll(() => lives(childPid), { timeout: 90_000 }).toBe(false);
  });
});
