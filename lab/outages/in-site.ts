// Makes a site, has a row of outages run in it, and removes it, however the run ended.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { RunOptions, RunResult } from './run.ts';
import { makeSite } from './site.ts';

const script = fileURLToPath(new URL('./run-main.ts', import.meta.url));
const running = new Set<() => void>();
let sites = 0;

/** @throws when the run itself failed; what it found wrong with the module is in the result. */
export async function runInSite(options: Omit<RunOptions, 'site'>): Promise<RunResult> {
  sites += 1;
  const { remove, ...site } = await makeSite(sites);
  try {
    return await runProcess({ ...options, site });
  } finally {
    await remove();
  }
}

/** Ends what is running; each `runInSite` then rejects, and has removed its site. */
export function stopRuns(): void {
  for (const stop of running) stop();
}

async function runProcess(options: RunOptions): Promise<RunResult> {
  const args = ['netns', 'exec', options.site.far, process.execPath, script, JSON.stringify(options)];
  const child = spawn('ip', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const stop = () => void child.kill('SIGKILL');
  running.add(stop);
  process.once('exit', stop);
  try {
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('exit', resolve);
      child.once('error', reject);
    });
    const [output, code] = await Promise.all([text(child.stdout), ended]);
    if (code !== 0)
      throw new Error(`the run of ${options.rounds.map((r) => r.outage).join(', ')} ended with ${code}`);
    return JSON.parse(output) as RunResult;
  } finally {
    running.delete(stop);
    process.off('exit', stop);
  }
}
