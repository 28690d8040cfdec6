// AMQP cases that the clients cannot be made to send at will, frame by frame.
import { type Duplex, duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { createAmqpServer } from './amqp.ts';

const [open, begin, end, close] = ['005310c00401a10178', '005311c0070440435264 5264', '00531745', '00531845'];
/** Of what the client received (`role`), delivery 0, settled. */
const settle = '005315c0050441434041';
/** The session's own, with its windows. */
const flow = '005313c0080443526443 5264';

function frame(channel: number, performative: string): Buffer {
  const body = Buffer.from(performative.replaceAll(' ', ''), 'hex');
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length, 0);
  head.writeUInt8(2, 4);
  head.writeUInt16BE(channel, 6);
  return Buffer.concat([head, body]);
}

/** A client with a session on channel 0: writes frames, and tells the performatives that came back. */
async function client(): Promise<{ send(...performatives: string[]): Promise<string[]> }> {
  const [ours, theirs] = duplexPair();
  const handlers = {
    senderOpened: () => {},
    receiverOpened: () => undefined,
    connectionClosed: () => {},
  };
  createAmqpServer('hub', handlers, silentLog).accept(theirs);
  ours.write(Buffer.from('414d515000010000', 'hex'));
  const codes = answers(ours);
  const send = async (...performatives: string[]) => {
    for (const performative of performatives) ours.write(frame(0, performative));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    return codes();
  };
  await send(open, begin);
  return { send };
}

/** Codes of all performatives that came since it was asked last. */
function answers(stream: Duplex): () => string[] {
  let bytes = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  let at = 8;
  return () => {
    const codes: string[] = [];
    for (; at + 11 <= bytes.length; at += bytes.readUInt32BE(at))
      codes.push(bytes.subarray(at + 10, at + 11).toString('hex'));
    return codes;
  };
}

test.each([
  ['settles', settle],
  ['flows', flow],
])(
  'a client that %s after the end of its session keeps its connection, and closes it in order',
  async (_, late) => {
    const { send } = await client();
    expect(await send(end)).toContain('17');
    expect(await send(late)).toEqual([]);
    expect(await send(close)).toEqual(['18']);
  },
);

test('a session that begins anew on the same channel is heard', async () => {
  const { send } = await client();
  await send(end);
  expect(await send(begin)).toEqual(['11']);
  expect(await send(settle, end)).toContain('17');
});
