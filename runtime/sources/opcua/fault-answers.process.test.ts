// Servers that are there, and say no in their own words.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { noMetrics } from '../../../kernel/metrics.ts';
import { opcuaSourceSchema } from './config.ts';
import { createOpcuaSource } from './opcua-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-opcua-fault-'));
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** OPC 10000-6, 7.1.2.5: an Error message instead of an Acknowledge. */
function errorMessage(status: number, reason: string): Buffer {
  const text = Buffer.from(reason);
  const message = Buffer.alloc(16 + text.length);
  message.write('ERRF', 0, 'latin1');
  message.writeUInt32LE(message.length, 4);
  message.writeUInt32LE(status, 8);
  message.writeInt32LE(text.length, 12);
  text.copy(message, 16);
  return message;
}

async function probeAt(port: number): Promise<{ code: string; message: string }> {
  const endpoint = `opc.tcp://127.0.0.1:${port}`;
  const config = opcuaSourceSchema.parse({
    type: 'opcua',
    name: 'oven',
    endpoint,
    timeoutMs: 3000,
    tags: [{ name: 'time', node: 'i=2258' }],
  });
  const source = createOpcuaSource(config, {
    clock: systemClock,
    log: silentLog,
    metrics: noMetrics,
    folder,
  });
  try {
    for await (const tag of source.probe!(new AbortController().signal)) expect.fail(`read ${tag.tag}`);
  } catch (error) {
    return error as { code: string; message: string };
  }
  return expect.fail('it was probed');
}

it('a server that answers with a fault is not unreachable, and the fault is said', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.end(errorMessage(0x8083_0000, 'no such endpoint')));
  });
  servers.push(server);
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  const { code, message } = await probeAt(port);
  expect(message).toContain('BadTcpEndpointUrlInvalid');
  expect(code).toBe('opcua-refused');
});

it('where nothing listens, it is unreachable', async () => {
  expect((await probeAt(1)).code).toBe('opcua-unreachable');
});
