import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  kill(): Promise<void>;
}

const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

export function run(program: string, args: readonly string[]): Running {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, PATH: path },
  });
  child.stdout?.resume();
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const closed = once(child, 'close');
  // What did not start is noticed by who waits for its port.
  child.once('error', () => {});
  closed.catch(() => {});
  return {
    pid: child.pid ?? 0,
    child,
    async kill() {
      child.kill('SIGKILL');
      await closed.catch(() => {});
      process.off('exit', kill);
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** @throws Error when nothing listens there within ten seconds. */
export async function dial(port: number): Promise<Socket> {
  for (let attempt = 0; ; attempt++) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    try {
      await once(socket, 'connect');
      // A server that is killed takes its connections with it.
      socket.on('error', () => {});
      return socket;
    } catch (error) {
      if (attempt === 100) throw new Error(`nothing listens on port ${port}`, { cause: error });
      await wait(100);
    }
  }
}

/** Waits until `count` has not changed for `quietMs`. */
export async function settledCount(count: () => number, quietMs: number): Promise<number> {
  let last = -1;
  for (let same = 0; same * 100 < quietMs; ) {
    await wait(100);
    same = count() === last ? same + 1 : 0;
    last = count();
  }
  return last;
}
