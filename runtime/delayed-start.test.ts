import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { VirtualClock } from '../kernel/testing/virtual-clock.ts';
import { delayStart } from './delayed-start.ts';

function bench(delayMs: number) {
  const calls: string[] = [];
  const clock = new VirtualClock();
  const sources = { start: () => void calls.push('start'), stop: async () => void calls.push('stop') };
  return { delayed: delayStart(sources, { delayMs, clock, log: silentLog }), calls, clock };
}

describe('sources that wait before they start', () => {
  it('start at once where there is no reason to wait', () => {
    const { delayed, calls } = bench(0);
    delayed.start();
    expect([calls, delayed.isWaiting]).toEqual([['start'], false]);
  });

  it('start once the time is over', async () => {
    const { delayed, calls, clock } = bench(5000);
    delayed.start();
    await clock.advance(4999);
    expect([calls, delayed.isWaiting]).toEqual([[], true]);
    await clock.advance(1);
    expect([calls, delayed.isWaiting]).toEqual([['start'], false]);
  });

  it('start once when they are released, and not again', async () => {
    const { delayed, calls, clock } = bench(5000);
    delayed.start();
    delayed.release();
    delayed.release();
    await clock.advance(10_000);
    expect(calls).toEqual(['start']);
  });

  it('are not started by a release before their turn', () => {
    const { delayed, calls } = bench(5000);
    delayed.release();
    expect(calls).toEqual([]);
  });

  it('never start once they were stopped', async () => {
    const { delayed, calls, clock } = bench(5000);
    delayed.start();
    await delayed.stop();
    delayed.release();
    await clock.advance(10_000);
    expect(calls).toEqual(['stop']);
  });
});
