// rsyslog with a disk queue that syncs: before each message counts as queued, or with each hundredth.

import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { message, type Peer, type Sending } from './peer.ts';
import { dial, freePort, run, settledCount } from './process.ts';

export function rsyslog(checkpointInterval: number): Peer {
  return {
    name: checkpointInterval === 1 ? 'rsyslog, synced each' : `rsyslog, synced every ${checkpointInterval}`,
    program: 'rsyslogd',
    async start(folder) {
      const port = await freePort();
      const server = run('rsyslogd', [
        '-n',
        '-f',
        configure(folder, port, await freePort()),
        '-i',
        join(folder, 'pid'),
      ]);
      const socket = await dial(port);
      return {
        pid: server.pid,
        send: () => sendLines(socket),
        stored: () => queueBytes(folder),
        kill: () => server.kill(),
      };
    },
    async recover(folder) {
      const received = new Set<string>();
      const receiver = createServer((socket) => collectLines(socket, received)).listen(0, '127.0.0.1');
      await once(receiver, 'listening');
      const { port } = receiver.address() as { port: number };
      const server = run('rsyslogd', [
        '-n',
        '-f',
        configure(folder, await freePort(), port),
        '-i',
        join(folder, 'pid'),
      ]);
      await settledCount(() => received.size, 4000);
      await server.kill();
      receiver.close();
      return received.size;
    },
  };

  function configure(folder: string, port: number, to: number): string {
    mkdirSync(join(folder, 'queue'), { recursive: true });
    const file = join(folder, 'rsyslog.conf');
    writeFileSync(
      file,
      `global(workDirectory="${join(folder, 'queue')}")
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\\n")
input(type="imtcp" port="${port}" address="127.0.0.1" ruleset="keep")
ruleset(name="keep" queue.type="Disk" queue.filename="q" queue.syncQueueFiles="on"
  queue.checkpointInterval="${checkpointInterval}" queue.maxFileSize="64m" queue.timeoutShutdown="10") {
  action(type="omfwd" target="127.0.0.1" port="${to}" protocol="tcp" template="raw"
    action.resumeRetryCount="-1" action.resumeInterval="1")
}
`,
    );
    return file;
  }
}

/** rsyslog says nothing about what it has: what the kernel took counts as handed over. */
function sendLines(socket: Socket): Sending {
  let handed = 0;
  let next = 0;
  let stopped = false;
  const more = () => {
    if (stopped || socket.destroyed) return;
    const count = 50;
    let lines = '';
    for (let n = 0; n < count; n++) lines += message(next++);
    socket.write(lines, (error) => {
      if (error) return;
      handed += count;
      setImmediate(more);
    });
  };
  more();
  return {
    get handed() {
      return handed;
    },
    get accepted() {
      return handed;
    },
    async stop() {
      stopped = true;
    },
  };
}

function collectLines(socket: Socket, into: Set<string>): void {
  let rest = '';
  socket.setEncoding('utf8').on('error', () => {});
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) into.add(line);
  });
}

function queueBytes(folder: string): number {
  const queue = join(folder, 'queue');
  let bytes = 0;
  for (const name of readdirSync(queue)) {
    if (/^q\.\d+$/.test(name)) bytes += statSync(join(queue, name)).size;
  }
  return bytes;
}
