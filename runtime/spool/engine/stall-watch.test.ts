import { describe, expect, it } from 'vitest';
import type { Log } from '../../../kernel/log.ts';
import { silentLog } from '../../../kernel/log.ts';
import { settle, VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { change, closed, openTestSpool, window } from '../testing/open-test-spool.ts';
import { stallMs } from './stall-watch.ts';
import { MemoryStore } from './testing/memory-store.ts';

describe('a disk that does not answer', () => {
  it('shows after some seconds, with what is waited for, and is forgotten when it answers', async () => {
    const store = new MemoryStore();
    const clock = new VirtualClock();
    const told: string[] = [];
    const tell = (_: object, text: string) => void told.push(text);
    const log: Log = { ...silentLog, error: tell, info: tell };
    const { spool } = await openTestSpool(store, { clock, log });
    let go = () => {};
    store.faults.beforeBatch = () =>
      new Promise((resolve) => {
        go = resolve;
      });
    const at = clock.now();
    const done = spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    await clock.advance(stallMs - 1);
    expect(spool.stats().state).toBe('ok');
    await clock.advance(7000);
    expect(spool.stats()).toMatchObject({
      state: 'failing',
      problem: 'the disk does not answer: a write for 11 s',
      problemSince: at,
    });
    expect(told).toContain('the disk does not answer');
    go();
    await done;
    await settle();
    expect(spool.stats().state).toBe('ok');
    expect(told.at(-1)).toBe('the disk answers again');
    await spool.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('shows where it is a read that waits', async () => {
    const store = new MemoryStore();
    const clock = new VirtualClock();
    const { spool } = await openTestSpool(store, { clock });
    await spool.commitWindows([change('a', [closed('a', window(0, 10))])]);
    let go = () => {};
    const range = store.range.bind(store);
    store.range = async (options) => {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      return range(options);
    };
    const taken = spool.take('live', { messages: 1, bytes: 1e9 });
    await clock.advance(stallMs + 1);
    expect(spool.stats()).toMatchObject({ state: 'failing', problem: expect.stringMatching(/a read/) });
    go();
    expect(await taken).toHaveLength(1);
    expect(spool.stats().state).toBe('ok');
    store.range = range;
    await spool.close();
  });
});
