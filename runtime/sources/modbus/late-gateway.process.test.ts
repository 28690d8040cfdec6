// A cheap gateway to a serial line, over a real socket: it gives whatever its line brings the number of the request that it has
// at that moment, and keeps what came too late for the next one, until functions differ or it is connected to anew. Every register holds its own address.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { superviseSource } from '../supervisor.ts';
import { RecordingSink } from '../testing/recording-sink.ts';
import { modbusTcpSourceSchema } from './config.ts';
import { createModbusSource } from './modbus-source.ts';

const loopbackCode = 8;
const headerBytes = 7;
const timeoutMs = 100;
/** All of one length, so that nothing but their order tells their answers apart. */
const addresses = [100, 200, 300];

class LateGateway {
  requests = 0;
  /** What the line needs for the next read. */
  lineMs = 1;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #ownsLoopback: boolean;
  #waiting: { readonly socket: Socket; readonly head: Buffer; readonly code: number } | undefined;
  /** What came from the line, and nobody waited for. */
  #kept: Buffer[] = [];
  #busyUntil = 0;

  constructor(ownsLoopback: boolean) {
    this.#ownsLoopback = ownsLoopback;
  }

  async listen(): Promise<number> {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      this.#kept = [];
      let rest = Buffer.alloc(0);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= headerBytes && rest.length >= 6 + rest.readUInt16BE(4)) {
          const end = 6 + rest.readUInt16BE(4);
          this.#onRequest(socket, Buffer.from(rest.subarray(0, end)));
          rest = Buffer.from(rest.subarray(end));
        }
      });
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
  }

  #onRequest(socket: Socket, frame: Buffer): void {
    this.requests += 1;
    const [head, pdu] = [frame.subarray(0, headerBytes), frame.subarray(headerBytes)];
    const code = pdu[0]!;
    this.#waiting = { socket, head, code };
    if (code === loopbackCode && this.#ownsLoopback) {
      this.#give(Buffer.from([0x88, 1]));
      return;
    }
    const now = performance.now();
    this.#busyUntil = Math.max(now, this.#busyUntil) + this.lineMs;
    this.lineMs = 1;
    setTimeout(() => this.#onLine(answerTo(pdu)), this.#busyUntil - now);
    const kept = this.#kept.shift();
    if (kept) this.#onLine(kept);
  }

  #onLine(answer: Buffer): void {
    if (!this.#waiting) this.#kept.push(answer);
    // That much it looks at: then it starts over.
    else if ((answer[0]! & 0x7f) !== this.#waiting.code) this.#kept = [];
    else this.#give(answer);
  }

  #give(answer: Buffer): void {
    const { socket, head } = this.#waiting!;
    this.#waiting = undefined;
    const header = Buffer.from(head);
    header.writeUInt16BE(answer.length + 1, 4);
    socket.write(Buffer.concat([header, answer]));
  }
}

function answerTo(pdu: Buffer): Buffer {
  if (pdu[0] === loopbackCode) return Buffer.from([0x88, 1]);
  const [address, count] = [pdu.readUInt16BE(1), pdu.readUInt16BE(3)];
  const data = Buffer.alloc(2 * count);
  for (let at = 0; at < count; at++) data.writeUInt16BE(address + at, 2 * at);
  return Buffer.concat([Buffer.from([3, data.length]), data]);
}

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function setUp(ownsLoopback: boolean) {
  const gateway = new LateGateway(ownsLoopback);
  const port = await gateway.listen();
  ends.push(() => gateway.close());
  const tags = addresses.map((address) => ({ name: `v${address}`, address, type: 'uint16' }));
  const config = modbusTcpSourceSchema.parse({
    type: 'modbus-tcp',
    name: 'unit',
    host: '127.0.0.1',
    port,
    pollMs: 20,
    timeoutMs,
    maxHole: 0,
    tags,
  });
  const deps = { clock: systemClock, log: silentLog, metrics: noMetrics };
  const sink = new RecordingSink();
  const source = createModbusSource(config, deps);
  const supervised = superviseSource({ ...deps, name: 'unit', source, sink, random: seededRandom(1) });
  supervised.start();
  ends.push(() => supervised.stop());
  const good = () => sink.readings.filter(({ quality }) => quality === 'good');
  const wrong = () => good().filter(({ tag, value }) => value !== Number(tag.slice(1)));
  return { gateway, good, wrong };
}

describe.each([true, false])(
  'a gateway that keeps late answers, and answers the loopback itself: %s',
  (own) => {
    it('is believed again only once it is in step, and is asked nothing more before it was late', async () => {
      const { gateway, good, wrong } = await setUp(own);
      await expect.poll(() => good().length, { timeout: 10_000 }).toBeGreaterThan(60);
      // Polls are not cut off amid one, so what was asked and what was told differ by less than one poll.
      expect(gateway.requests - good().length).toBeLessThanOrEqual(2 * addresses.length);
      for (let round = 0; round < 3; round++) {
        gateway.lineMs = 1.5 * timeoutMs;
        await delay(3 * timeoutMs);
        const before = good().length;
        await expect.poll(() => good().length, { timeout: 20_000 }).toBeGreaterThan(before + 30);
        expect(wrong()).toEqual([]);
      }
    });
  },
);
