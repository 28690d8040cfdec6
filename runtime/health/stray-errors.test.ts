import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { isOfClient } from './stray-errors.ts';

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
      '    at something (/app/dist/runtime/uplink/edge-session.js:10:1)',
    ].join('\n');
    expect(isOfClient({ stack })).toBe(true);
    expect(isOfClient({ stack: stack.replace('rhea/lib', 'azure-iot-amqp-base/dist') })).toBe(true);
  });

  it('is ours where our code threw it, although the client called it', () => {
    const stack = [
      'TypeError: undefined is not a function',
      '    at Object.onState (/app/dist/runtime/uplink/forwarder.js:10:1)',
      '    at Connection.emit (node:events:519:28)',
      '    at Connection.dispatch (/app/node_modules/rhea/lib/connection.js:200:5)',
    ].join('\n');
    expect(isOfClient({ stack })).toBe(false);
    expect(isOfClient(new Error('ours'))).toBe(false);
  });

  it.each([undefined, null, 'text', 5, {}, { stack: 7 }, { stack: 'no frames' }])(
    'is ours where %j was thrown',
    (thrown) => {
      expect(isOfClient(thrown)).toBe(false);
    },
  );
});
