import { createRequire } from 'node:module';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { isOfClient, isOfNobody } from './stray-errors.ts';

const rhea = createRequire(import.meta.url)('rhea');

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('an exception that nobody caught', () => {
  it("is the client's where the client's code threw it, also out of Node's own functions", () => {
    expect(isOfClient(caught(() => rhea.message.decode(Buffer.from([0, 0x53, 0x99, 1, 2]))))).toBe(true);
    const stack = [
      'Error: write after end',
      '    at Writable.write (node:internal/streams/writable:510:10)',
      '    at Connection.send (/app/node_modules/rhea/lib/connection.js:400:15)',
      '    at something (/app/dist/main.cjs:10:1)',
    ].join('\n');
    expect(isOfClient({ stack })).toBe(true);
    expect(isOfClient({ stack: stack.replace('rhea/lib', 'azure-iot-amqp-base/dist') })).toBe(true);
    const packages = '/app/node_modules/rhea/lib/connection.js';
    expect(isOfClient({ stack: stack.replace(packages, '/app/dist/node_modules/azure-client.cjs') })).toBe(
      true,
    );
    expect(isOfClient({ stack: stack.replace(packages, '/app/dist/node_modules/packages.cjs') })).toBe(false);
  });

  it('is ours where our code threw it, although the client called it', () => {
    const stack = [
      'TypeError: undefined is not a function',
      '    at Object.onState (/app/dist/main.cjs:10:1)',
      '    at Connection.emit (node:events:519:28)',
      '    at Connection.dispatch (/app/node_modules/rhea/lib/connection.js:200:5)',
    ].join('\n');
    expect(isOfClient({ stack })).toBe(false);
    expect(isOfClient(new Error('ours'))).toBe(false);
  });

  it("is nobody's where a peer reset a connection to which nobody listened", async () => {
    const server = createServer((peer) => peer.once('data', () => peer.resetAndDestroy()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const error = await new Promise((resolve) => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', resolve);
      socket.write('hello');
    });
    server.close();
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(isOfNobody(error)).toBe(true);
    expect(isOfClient(error)).toBe(false);
  });

  it('is not where any code but Node itself was part of it, or it is no matter of the network', () => {
    const facts = { code: 'ECONNRESET', syscall: 'read' };
    const frame = '    at TLSWrap.onStreamRead (node:internal/stream_base_commons:216:20)';
    expect(isOfNobody({ ...facts, stack: `Error: read ECONNRESET\n${frame}` })).toBe(true);
    const ours = '    at Object.onState (/app/dist/main.cjs:10:1)';
    expect(isOfNobody({ ...facts, stack: `Error: read ECONNRESET\n${ours}\n${frame}` })).toBe(false);
    expect(isOfNobody({ code: 'ENOENT', syscall: 'open', stack: 'Error: ENOENT' })).toBe(false);
    expect(isOfNobody(new Error('read ECONNRESET'))).toBe(false);
    for (const thrown of [undefined, null, 'text', 5, {}]) expect(isOfNobody(thrown)).toBe(false);
  });

  it.each([undefined, null, 'text', 5, {}, { stack: 7 }, { stack: 'no frames' }])(
    'is ours where %j was thrown',
    (thrown) => {
      expect(isOfClient(thrown)).toBe(false);
    },
  );
});
