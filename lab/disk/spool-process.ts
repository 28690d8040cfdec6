// A process that works with a spool on a disk of tests, and notes in a log elsewhere what it promises.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { FuseDisk } from './fuse-disk.ts';

const script = join(import.meta.dirname, '../../runtime/spool/testing/kill-child.ts');

export interface SpoolProcess {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
}

/** `work`: until it is ended. `drain`: until all that is there was taken out. */
export function startSpoolProcess(
  disk: FuseDisk,
  logFile: string,
  run: number,
  mode: 'work' | 'drain',
): SpoolProcess {
  const args = [script, join(disk.folder, 'spool'), logFile, String(run), mode, `boot-${run}`];
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  return { process: started, ended: new Promise((resolve) => started.on('exit', resolve)) };
}
