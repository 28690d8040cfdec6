// A pseudo terminal before an RTU server, made by socat: what opens it sees a serial port. It goes away when
// the connection behind it is cut, as the port of an unplugged USB adapter does.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync } from 'node:fs';

export interface SerialPort {
  /** Takes the port away. */
  close(): Promise<void>;
}

const appearsWithinMs = 5000;
const lookEveryMs = 10;

/** Resolves once `path` is there: a link to the pseudo terminal. Needs the program socat. */
export async function openSerialPort(path: string, tcpPort: number): Promise<SerialPort> {
  const socat = spawn('socat', [`PTY,link=${path},rawer`, `TCP:127.0.0.1:${tcpPort},nodelay`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = exitOf(socat);
  await appears(path, socat);
  // Held open: when the last user of a pseudo terminal closes it, its other end reads an error and socat ends.
  const held = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  exited.then(() => closeSync(held));
  return {
    async close() {
      socat.kill();
      await exited;
    },
  };
}

/** Also when it could not be started at all. */
function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

async function appears(path: string, socat: ChildProcess): Promise<void> {
  let failure: unknown;
  socat.once('error', (error) => {
    failure = error;
  });
  for (let waited = 0; !existsSync(path); waited += lookEveryMs) {
    if (failure) throw failure;
    if (socat.exitCode !== null || waited > appearsWithinMs) throw new Error(`socat made no ${path}`);
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}
