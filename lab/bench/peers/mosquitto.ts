// mosquitto, keeping QoS 1 messages for a client with a lasting session that is away. The few packets of MQTT
// 3.1.1 that are needed are spoken here.
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { message, type Peer, type Sending } from './peer.ts';
import { dial, freePort, run, settledCount } from './process.ts';

export function mosquitto(save: 'by default' | 'each change'): Peer {
  return {
    name: save === 'by default' ? 'mosquitto, QoS 1' : 'mosquitto, QoS 1, saved each change',
    program: 'mosquitto',
    async start(folder) {
      const { server, port } = await serve(folder);
      const absent = await connectAs(port, 'receiver');
      absent.write(packet(0x82, Buffer.concat([Buffer.of(0, 1), text('q'), Buffer.of(1)])));
      await absent.next(0x90);
      absent.end();
      const publisher = await connectAs(port, 'publisher');
      return { pid: server.pid, send: () => publishAll(publisher), kill: () => server.kill() };
    },
    async recover(folder) {
      const { server, port } = await serve(folder);
      const receiver = await connectAs(port, 'receiver');
      const count = await settledCount(() => receiver.received, 2000);
      await server.kill();
      return count;
    },
  };

  async function serve(folder: string) {
    const port = await freePort();
    const data = join(folder, 'data');
    mkdirSync(data, { recursive: true });
    const file = join(folder, 'mosquitto.conf');
    const each = save === 'each change' ? 'autosave_interval 1\nautosave_on_changes true\n' : '';
    writeFileSync(
      file,
      `listener ${port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n` +
        `persistence_location ${data}/\nmax_queued_messages 0\n${each}`,
    );
    return { server: run('mosquitto', ['-c', file]), port };
  }
}

const window = 100;

function publishAll(client: MqttClient): Sending {
  let handed = 0;
  let stopped = false;
  const more = () => {
    const packets: Buffer[] = [];
    while (!stopped && handed - client.acknowledged < window) {
      const id = (handed % 65_535) + 1;
      packets.push(
        packet(
          0x32,
          Buffer.concat([text('q'), Buffer.of(id >> 8, id & 255), Buffer.from(message(handed++))]),
        ),
      );
    }
    if (packets.length > 0) client.write(Buffer.concat(packets));
  };
  client.onData = more;
  more();
  return {
    get handed() {
      return handed;
    },
    get accepted() {
      return client.acknowledged;
    },
    async stop() {
      stopped = true;
    },
  };
}

async function connectAs(port: number, name: string): Promise<MqttClient> {
  const client = new MqttClient(await dial(port));
  // Level 4, a session that lasts, no keep-alive.
  client.write(packet(0x10, Buffer.concat([text('MQTT'), Buffer.of(4, 0, 0, 0), text(name)])));
  await client.next(0x20);
  return client;
}

class MqttClient {
  acknowledged = 0;
  received = 0;
  onData: () => void = () => {};
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #waiting: { type: number; resolve: () => void } | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#read();
      this.onData();
    });
  }

  write(bytes: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end(Buffer.of(0xe0, 0));
  }

  next(type: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { type, resolve };
    });
  }

  #read(): void {
    let at = 0;
    for (;;) {
      const length = lengthAt(this.#bytes, at + 1);
      if (length === undefined || this.#bytes.length < length.body + length.value) break;
      this.#take(this.#bytes[at]!, this.#bytes.subarray(length.body, length.body + length.value));
      at = length.body + length.value;
    }
    this.#bytes = this.#bytes.subarray(at);
  }

  #take(head: number, body: Buffer): void {
    const type = head & 0xf0;
    if (type === 0x40) this.acknowledged++;
    if (type === 0x30) {
      this.received++;
      const id = 2 + body.readUInt16BE(0);
      this.write(packet(0x40, body.subarray(id, id + 2)));
    }
    if (this.#waiting?.type === type) this.#waiting.resolve();
  }
}

function packet(head: number, body: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.of(head, ...length), body]);
}

function lengthAt(bytes: Buffer, from: number): { value: number; body: number } | undefined {
  let value = 0;
  for (let n = 0; n < 4; n++) {
    const byte = bytes[from + n];
    if (byte === undefined) return undefined;
    value |= (byte & 127) << (7 * n);
    if (byte < 128) return { value, body: from + n + 1 };
  }
  return undefined;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
}
