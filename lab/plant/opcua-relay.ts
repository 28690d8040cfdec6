// The relay between the OPC UA server and its clients, which can be made to fail: the server itself stays well.
import { connect, type Socket } from 'node:net';
import { type Random, randomInt } from '../../kernel/random.ts';
import type { OpcuaFaults } from './opcua-faults.ts';
import { type PluggableListener, startListener } from './pluggable-listener.ts';

export interface RelayOptions {
  readonly host: string;
  readonly port: number;
  readonly maxConnections: number;
  /** Of the server. */
  readonly serverPort: () => number;
  readonly faults: () => OpcuaFaults;
  readonly random: Random;
}

/** Bytes that wait for `delayMs`; more, and the server is not read from. */
const maxHeld = 8 * 1024 * 1024;

export function startRelay(options: RelayOptions): Promise<PluggableListener> {
  return startListener(options, (client) => relay(client, options));
}

function relay(client: Socket, { host, serverPort, faults, random }: RelayOptions): void {
  const server = connect({ host, port: serverPort(), noDelay: true });
  const end = () => {
    client.destroy();
    server.destroy();
  };
  for (const socket of [client, server]) {
    socket.on('error', end);
    socket.on('close', end);
  }
  client.on('data', (bytes) => {
    if (faults().silent) return;
    if (!server.write(bytes)) client.pause();
  });
  server.on('drain', () => client.resume());
  client.on('drain', () => server.resume());
  let held = 0;
  server.on('data', (bytes) => {
    const { silent, delayMs, garbage } = faults();
    if (silent) return;
    const sent = garbage ? noise(bytes.length, random) : bytes;
    if (delayMs === 0 && held === 0) {
      if (!client.write(sent)) server.pause();
      return;
    }
    held += sent.length;
    if (held > maxHeld) server.pause();
    setTimeout(() => {
      held -= sent.length;
      if (client.writable) client.write(sent);
      server.resume();
    }, delayMs);
  });
}

function noise(length: number, random: Random): Buffer {
  return Buffer.from(Array.from({ length }, () => randomInt(random, 256)));
}
