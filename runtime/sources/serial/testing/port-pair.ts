// Two serial ports with a cable between them: a pair of pseudo terminals, by socat.
import { spawn } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface PortPair {
  readonly ours: string;
  readonly theirs: string;
  close(): void;
}

export async function openPortPair(): Promise<PortPair> {
  const folder = mkdtempSync(join(tmpdir(), 'ports-'));
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
  const pair = spawn('socat', [`PTY,link=${ours},rawer`, `PTY,link=${theirs},rawer`], { stdio: 'ignore' });
  while (!existsSync(ours) || !existsSync(theirs)) await delay(10);
  // When the last user of a pseudo terminal closes it, its other end reads an error: no serial port does that.
  const held = openSync(ours, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  return {
    ours,
    theirs,
    close() {
      closeSync(held);
      pair.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
