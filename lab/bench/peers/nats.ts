// NATS JetStream, storing on file. The few lines of its text protocol that are needed are spoken here.
import type { Socket } from 'node:net';
import { message, messageBytes, type Peer, type Sending } from './peer.ts';
import { dial, freePort, run } from './process.ts';

export const nats: Peer = {
  name: 'NATS JetStream, file',
  program: 'nats-server',
  async start(folder) {
    const { server, client } = await open(folder);
    const subjects = { name: 'Q', subjects: ['q'], storage: 'file', retention: 'limits', num_replicas: 1 };
    await client.request('$JS.API.STREAM.CREATE.Q', JSON.stringify(subjects));
    return { pid: server.pid, send: () => client.publishAll(), kill: () => server.kill() };
  },
  async recover(folder) {
    const { server, client } = await open(folder);
    const answer = JSON.parse(await client.request('$JS.API.STREAM.INFO.Q', '')) as {
      state?: { messages: number };
    };
    await server.kill();
    return answer.state?.messages ?? 0;
  },
};

async function open(folder: string) {
  const port = await freePort();
  const server = run('nats-server', ['-js', '-sd', folder, '-a', '127.0.0.1', '-p', String(port)]);
  const client = new NatsClient(await dial(port));
  await client.ready();
  return { server, client };
}

const window = 1000;

class NatsClient {
  readonly #socket: Socket;
  #text = '';
  #answer: (payload: string) => void = () => {};
  #accepted = 0;
  #onAccepted: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => this.#read(text));
    socket.write('CONNECT {"verbose":false,"pedantic":false}\r\nSUB api 1\r\nSUB ack 2\r\n');
  }

  /** JetStream comes up a little after the port. */
  async ready(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const answer = await Promise.race([
        this.request('$JS.API.INFO', ''),
        new Promise<string>((resolve) => setTimeout(() => resolve('{"error":"silent"}'), 200)),
      ]);
      if (!answer.includes('"error"') && answer !== '') return;
    }
    throw new Error('JetStream does not come up');
  }

  request(subject: string, body: string): Promise<string> {
    const answered = new Promise<string>((resolve) => {
      this.#answer = resolve;
    });
    this.#socket.write(`PUB ${subject} api ${body.length}\r\n${body}\r\n`);
    return answered;
  }

  publishAll(): Sending {
    let handed = 0;
    let stopped = false;
    const from = this.#accepted;
    const accepted = () => this.#accepted - from;
    const more = () => {
      let text = '';
      while (!stopped && handed - accepted() < window) {
        text += `PUB q ack ${messageBytes}\r\n${message(handed++)}\r\n`;
      }
      if (text !== '' && !this.#socket.destroyed) this.#socket.write(text);
    };
    this.#onAccepted = more;
    more();
    return {
      get handed() {
        return handed;
      },
      get accepted() {
        return accepted();
      },
      async stop() {
        stopped = true;
      },
    };
  }

  #read(text: string): void {
    this.#text += text;
    let at = 0;
    for (;;) {
      const end = this.#text.indexOf('\r\n', at);
      if (end < 0) break;
      const line = this.#text.slice(at, end);
      if (line.startsWith('MSG ')) {
        const words = line.split(' ');
        const length = Number(words.at(-1));
        if (this.#text.length < end + 4 + length) break;
        this.#take(words[1]!, this.#text.slice(end + 2, end + 2 + length));
        at = end + 4 + length;
      } else {
        if (line === 'PING') this.#socket.write('PONG\r\n');
        at = end + 2;
      }
    }
    this.#text = this.#text.slice(at);
    this.#onAccepted();
  }

  #take(subject: string, payload: string): void {
    if (subject === 'api') this.#answer(payload);
    else if (payload.includes('"seq"')) this.#accepted++;
  }
}
