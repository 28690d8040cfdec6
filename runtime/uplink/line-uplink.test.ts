import { describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { encodeMiniBatch, encodeVoid } from '../../wire/message.ts';
import { createLineUplink } from './line-uplink.ts';

const start = Date.UTC(2026, 0, 1);
const batch = {
  batchId: 'press',
  index: 'time',
  window: { start, end: start + 1000 },
  readings: [{ index: start + 5, tag: 'level', value: 20.5, quality: 'good' }],
} as const;
const message = encodeMiniBatch(batch, { schema: 'columns/1', gzip: true, creationTime: start })[0]!;

function setUp() {
  const written: string[] = [];
  const state = {
    failure: undefined as Error | undefined,
    held: undefined as Promise<void> | undefined,
    closed: false,
  };
  const uplink = createLineUplink({
    sink: {
      name: 'lines.jsonl',
      async write(lines) {
        await state.held;
        if (state.failure) throw state.failure;
        written.push(lines);
      },
      async close() {
        state.closed = true;
      },
    },
    clock: new VirtualClock(),
    log: silentLog,
  });
  return { uplink, written, state };
}

describe('an uplink without a hub', () => {
  it('makes a line of each message, with the readings in plain form', async () => {
    const { uplink, written } = setUp();
    uplink.start();
    await uplink.send(message);
    const line = JSON.parse(written.join(''));
    expect(line).toMatchObject({ batchId: 'press', startWindow: '2026-01-01T00:00:00.000Z', count: '1' });
    expect(line).not.toHaveProperty('schema');
    expect(line.readings).toEqual([{ t: '2026-01-01T00:00:00.005Z', tag: 'level', v: 20.5, q: 'good' }]);
    const gone = { batchId: 'press', index: 'time', window: batch.window, reason: 'no-history' } as const;
    await uplink.send(encodeVoid(gone, { creationTime: start }));
    expect(JSON.parse(written[1]!)).toMatchObject({
      void: 'no-history',
      messageId: expect.stringMatching(/;v/),
    });
  });

  it('says of what a rule sends to which output it would go, and shows its row', async () => {
    const { uplink, written } = setUp();
    uplink.start();
    const body = Buffer.from('{"command":"reset"}');
    const properties = { rule: 'overheated' };
    await uplink.send(
      { messageId: 'm', properties, contentEncoding: 'utf-8', creationTime: start, body },
      'control',
    );
    expect(JSON.parse(written[0]!)).toEqual({
      ...{ messageId: 'm', output: 'control', rule: 'overheated', body: { command: 'reset' } },
    });
  });

  it('acknowledges only what is written, writes at once what waited meanwhile, and tries again what failed', async () => {
    const { uplink, written, state } = setUp();
    uplink.start();
    const hold = Promise.withResolvers<void>();
    state.held = hold.promise;
    const acknowledged: number[] = [];
    const sends = [0, 1, 2].map((n) => uplink.send(message).then(() => acknowledged.push(n)));
    await Promise.resolve();
    expect(acknowledged).toEqual([]);
    hold.resolve();
    await Promise.all(sends);
    expect(acknowledged).toEqual([0, 1, 2]);
    expect(written.length).toBeLessThan(3);
    state.failure = new Error('no space left');
    await expect(uplink.send(message)).rejects.toMatchObject({
      code: 'uplink-output-failed',
      retryable: true,
    });
    state.failure = undefined;
    await uplink.send(message);
    expect(written.join('').trim().split('\n')).toHaveLength(4);
  });

  it('says that no hub knows of an earlier life, takes nothing before it starts and after it stops', async () => {
    const { uplink, state } = setUp();
    const heard: unknown[] = [];
    uplink.onReported((reported) => heard.push(reported));
    await expect(uplink.send(message)).rejects.toMatchObject({ retryable: true });
    uplink.start();
    expect(heard).toEqual([{}]);
    expect(uplink.state()).toMatchObject({ connected: true, sink: 'lines.jsonl' });
    await uplink.stop();
    expect(state.closed).toBe(true);
    await expect(uplink.send(message)).rejects.toMatchObject({ retryable: true });
  });
});
