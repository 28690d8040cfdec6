// Makes a site, runs a series of outages in it, and removes it, however the run ended.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { isClean, type RunOptions, type RunResult } from './run.ts';
import { makeSite } from './site.ts';

const script = fileURLToPath(new URL('./run-main.ts', import.meta.url));
const running = new Set<() => void>();
let sites = 0;

export interface SiteRun extends RunResult {
  /** The module's log and data, kept where something was wrong. */
  readonly kept?: string;
}

/** @throws when the run itself failed; what it found wrong with the module is in the result. */
export async function runInSite(options: Omit<RunOptions, 'site' | 'folder'>): Promise<SiteRun> {
  sites += 1;
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-outages-'));
  const { remove, ...site } = await makeSite(sites);
  let clean = false;
  try {
    const result = await runProcess({ ...options, site, folder });
    clean = isClean(result);
    return clean ? result : { ...result, kept: folder };
  } finally {
    await remove();
    if (clean) rmSync(folder, { recursive: true, force: true });
  }
}

/** Ends what is running; each `runInSite` then removes its site and rejects. */
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
    if (code === 0) return JSON.parse(output) as RunResult;
    const names = options.rounds.map(({ outage }) => outage).join(', ');
    throw new Error(`the run of ${names} ended with ${code}; its files are in ${options.folder}`);
  } finally {
    running.delete(stop);
    process.off('exit', stop);
  }
}
