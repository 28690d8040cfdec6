// lab/hub as a process of its own: what it costs is not the module's, and the module's TLS is real.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cpuMicrosOf } from '../harness/usage.ts';

const main = fileURLToPath(new URL('../../hub/main.ts', import.meta.url));
/** Events that it keeps: enough to look at, too few to fill memory. */
const maxEvents = '200';

export interface HubBeside {
  readonly connectionString: string;
  readonly caFile: string;
  /** The connection string of another module, which is new to the hub: for another data folder. */
  register(module: string): Promise<string>;
  cpuMicros(): number;
  residentMB(): number;
  /** Messages that it accepted so far. */
  accepted(): Promise<number>;
  stop(): Promise<void>;
}

export async function startHubBeside(): Promise<HubBeside> {
  const args = ['--max-events', maxEvents, '--log-level', 'error', '--strict-message-ids'];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const ready = JSON.parse(line);
  return {
    connectionString: ready.deviceConnectionString,
    caFile: ready.caFile,
    async register(module) {
      const query = new URLSearchParams({ device: 'edge-1', module });
      const answer = await fetch(`http://127.0.0.1:${ready.controlPort}/connections?${query}`);
      return ((await answer.json()) as { deviceConnectionString: string }).deviceConnectionString;
    },
    cpuMicros: () => cpuMicrosOf(child.pid!),
    residentMB: () => memoryOf(child.pid!).residentMB,
    async accepted() {
      const answer = await fetch(`http://127.0.0.1:${ready.controlPort}/state`);
      return ((await answer.json()) as { counts: { accepted: number } }).counts.accepted;
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      process.off('exit', kill);
    },
  };
}

/** As the kernel counts it: now, and the highest ever. */
export function memoryOf(pid: number): { readonly residentMB: number; readonly peakMB: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { residentMB: megabytes('VmRSS'), peakMB: megabytes('VmHWM') };
}
