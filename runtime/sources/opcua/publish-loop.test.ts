import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { serviceFailed } from './opcua-errors.ts';
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
    republish: async (_id: number, sequence: number) =>
      kept.find((each) => each.sequence === sequence) ??
      Promise.reject(serviceFailed('republish', 'BadMessageNotAvailable')),
  } as unknown as OpcuaSession;
  const loop = new PublishLoop({
    session,
    subscription: { id: 7, publishMs: 1000, keepAliveCount: 10 },
    clock: new VirtualClock(),
    silenceMs: 60_000,
    onMessage: ({ sequence }, lost) => {
      taken.push({ sequence, lost });
    },
    onLate: ({ sequence }) => {
      taken.push({ sequence, lost: -1 });
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

  it('are lost where a server counts from the start again: nobody knows what it had told until then', async () => {
    const anew = [message(1, { publishedAt: 9000 }), message(2, { publishedAt: 9500 })];
    expect(await handOn([message(1), message(2), ...anew])).toEqual([
      ...[1, 2].map((sequence) => ({ sequence, lost: 0 })),
      { sequence: 1, lost: 1 },
      { sequence: 2, lost: 0 },
    ]);
    const keepAlive = message(1, { isKeepAlive: true, publishedAt: 9000 });
    expect(await handOn([message(1), message(2), message(3), keepAlive, ...anew])).toEqual([
      ...[1, 2, 3].map((sequence) => ({ sequence, lost: 0 })),
      { sequence: 1, lost: 1 },
      ...[1, 2].map((sequence) => ({ sequence, lost: 0 })),
    ]);
  });

  it('are lost once, though they come after that was told', async () => {
    const taken = await handOn([message(1), message(3), message(2), message(4)]);
    expect(taken).toEqual([
      { sequence: 1, lost: 0 },
      { sequence: 3, lost: 1 },
      // It comes late.
      { sequence: 2, lost: -1 },
      { sequence: 4, lost: 0 },
    ]);
  });

  it('are not lost where a keep-alive has the number of the last one', async () => {
    const keepAlive = message(2, { isKeepAlive: true, publishedAt: 2500 });
    const taken = await handOn([message(1), message(2), keepAlive, message(3)]);
    expect(taken).toEqual([1, 2, 2, 3].map((sequence) => ({ sequence, lost: 0 })));
  });

  it('go on from 1 behind the largest number', async () => {
    const last = 0xffff_ffff;
    const at = (publishedAt: number) => ({ publishedAt });
    const taken = await handOn([message(last, at(1)), message(1, at(2)), message(3, at(3))]);
    expect(taken).toEqual([
      { sequence: last, lost: last - 1 },
      { sequence: 1, lost: 0 },
      { sequence: 3, lost: 1 },
    ]);
  });
});
