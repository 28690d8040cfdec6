import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { OpcuaSession, Published } from './opcua-session.ts';
import { PublishLoop } from './publish-loop.ts';

const message = (sequence: number, change: Partial<Published> = {}): Published => ({
  subscriptionId: 7,
  sequence,
  publishedAt: 1000 * sequence,
  more: false,
  values: [],
  isKeepAlive: false,
  ...change,
});

/** What is handed on of these messages, each as it comes; `kept`: what the server gives again. */
async function handOn(messages: readonly Published[], kept: readonly Published[] = []) {
  const taken: { sequence: number; lost: number }[] = [];
  const left = [...messages];
  const session = {
    lost: new AbortController().signal,
    publish: async () => left.shift() ?? Promise.reject(new Error('no more')),
    republish: async (_id: number, sequence: number) => kept.find((each) => each.sequence === sequence)!,
  } as unknown as OpcuaSession;
  const loop = new PublishLoop({
    session,
    subscription: { id: 7, publishMs: 1000, keepAliveCount: 10 },
    clock: new VirtualClock(),
    silenceMs: 60_000,
    onMessage: ({ sequence }, lost) => {
      taken.push({ sequence, lost });
    },
  });
  await expect(loop.run()).rejects.toThrow('no more');
  return taken;
}

describe('messages of a subscription', () => {
  it('are taken once, though they come twice', async () => {
    const taken = await handOn([message(1), message(2), message(2), message(3)]);
    expect(taken).toEqual([1, 2, 3].map((sequence) => ({ sequence, lost: 0 })));
  });

  it('are taken once where they come late, when they were asked for again; none is missing then', async () => {
    const taken = await handOn([message(1), message(3), message(2), message(4)], [message(2)]);
    expect(taken).toEqual([1, 2, 3, 4].map((sequence) => ({ sequence, lost: 0 })));
  });

  it('are not missing after a keep-alive that comes late', async () => {
    const late = message(2, { isKeepAlive: true, publishedAt: 1500 });
    const taken = await handOn([message(1), message(2), late, message(3)]);
    expect(taken).toEqual([1, 2, 3].map((sequence) => ({ sequence, lost: 0 })));
  });

  it('are taken of a server that counts from the start again', async () => {
    const taken = await handOn([message(1), message(2), message(1, { publishedAt: 9000 })]);
    expect(taken).toHaveLength(3);
  });
});
