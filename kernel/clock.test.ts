import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sleep, systemClock, withTimeout } from './clock.ts';
import { settle, VirtualClock } from './testing/virtual-clock.ts';

/** How a promise stands now. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  let state: unknown = 'pending';
  promise.then(
    (value) => {
      state = { value };
    },
    (reason) => {
      state = { reason };
    },
  );
  await settle();
  return state;
}

describe('sleep', () => {
  test('resolves when its time has passed, and not before', async () => {
    const clock = new VirtualClock();
    const slept = sleep(clock, 1000);
    await clock.advance(999);
    expect(await stateOf(slept)).toBe('pending');
    await clock.advance(1);
    expect(await stateOf(slept)).toEqual({ value: undefined });
  });

  test('an abort ends it at once, with the signal`s reason, and leaves no timer', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const slept = sleep(clock, 1000, stop.signal);
    stop.abort('enough');
    expect(await stateOf(slept)).toEqual({ reason: 'enough' });
    expect(clock.pendingTimers).toBe(0);
  });

  test('a signal that is aborted already starts no timer', async () => {
    const clock = new VirtualClock();
    expect(await stateOf(sleep(clock, 1000, AbortSignal.abort('before')))).toEqual({ reason: 'before' });
    expect(clock.pendingTimers).toBe(0);
  });

  test('leaves no listener behind on a signal that lives long', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const removed = vi.spyOn(stop.signal, 'removeEventListener');
    const slept = sleep(clock, 10, stop.signal);
    await clock.advance(10);
    await slept;
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function));
  });
});

describe('withTimeout', () => {
  const late = () => new Error('too late');

  test('settles as the work does when that is in time, and leaves no timer', async () => {
    const clock = new VirtualClock();
    expect(await stateOf(withTimeout(clock, 100, Promise.resolve(7), late))).toEqual({ value: 7 });
    const failed = withTimeout(clock, 100, Promise.reject(new Error('its own')), late);
    expect(await stateOf(failed)).toEqual({ reason: new Error('its own') });
    expect(clock.pendingTimers).toBe(0);
  });

  test('rejects at the limit when the work hangs', async () => {
    const clock = new VirtualClock();
    const result = withTimeout(clock, 100, new Promise(() => {}), late);
    result.catch(() => {});
    await clock.advance(99);
    expect(await stateOf(result)).toBe('pending');
    await clock.advance(1);
    expect(await stateOf(result)).toEqual({ reason: new Error('too late') });
  });

  test('swallows what the work rejects with after the limit', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const clock = new VirtualClock();
    const { promise, reject } = Promise.withResolvers<void>();
    const result = withTimeout(clock, 100, promise, late);
    const seen = expect(result).rejects.toThrow('too late');
    await clock.advance(100);
    await seen;
    reject(new Error('after the end'));
    await settle();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe('the virtual clock', () => {
  test('runs timers in order of their time, then of their making', async () => {
    const clock = new VirtualClock();
    const ran: string[] = [];
    clock.setTimer(20, () => ran.push('late'));
    clock.setTimer(10, () => ran.push('first'));
    clock.setTimer(10, () => ran.push('second'));
    await clock.advance(100);
    expect(ran).toEqual(['first', 'second', 'late']);
  });

  test('shows each timer the moment it was due, and runs those that timers set within the same advance', async () => {
    const clock = new VirtualClock(1_000_000);
    const seen: number[] = [];
    const tick = () => {
      seen.push(clock.now());
      if (seen.length < 3) clock.setTimer(10, tick);
    };
    clock.setTimer(10, tick);
    await clock.advance(25);
    expect(seen).toEqual([1_000_010, 1_000_020]);
    await clock.advance(5);
    expect(seen).toEqual([1_000_010, 1_000_020, 1_000_030]);
    expect(clock.monotonic()).toBe(30);
  });

  test('loops that sleep go on within one advance', async () => {
    const clock = new VirtualClock();
    let rounds = 0;
    void (async () => {
      for (;;) {
        await sleep(clock, 10);
        rounds++;
      }
    })();
    await clock.advance(105);
    expect(rounds).toBe(10);
  });

  test('a cancelled timer never runs, and cancelling twice is harmless', async () => {
    const clock = new VirtualClock();
    const callback = vi.fn();
    const timer = clock.setTimer(10, callback);
    timer.cancel();
    timer.cancel();
    await clock.advance(100);
    expect(callback).not.toHaveBeenCalled();
  });

  test('stepping the wall moves neither monotonic time nor timers', async () => {
    const clock = new VirtualClock(5000);
    const callback = vi.fn();
    clock.setTimer(100, callback);
    clock.stepWall(-3000);
    expect([clock.now(), clock.monotonic()]).toEqual([2000, 0]);
    clock.stepWall(1_000_000);
    await clock.advance(99);
    expect(callback).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(callback).toHaveBeenCalledOnce();
  });
});

describe('the system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_800_000_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('gives whole milliseconds, and monotonic time that advances', () => {
    expect(systemClock.now()).toBe(1_800_000_000_000);
    const before = systemClock.monotonic();
    vi.advanceTimersByTime(50);
    expect(systemClock.monotonic() - before).toBe(50);
  });

  test('a delay that Node would take for 1 ms waits as long as Node can', () => {
    const callback = vi.fn();
    systemClock.setTimer(2 ** 40, callback);
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledOnce();
  });

  test('negative delays run at once, cancelled ones never', () => {
    const [soon, never] = [vi.fn(), vi.fn()];
    systemClock.setTimer(-5, soon);
    systemClock.setTimer(5, never).cancel();
    vi.advanceTimersByTime(10);
    expect(soon).toHaveBeenCalledOnce();
    expect(never).not.toHaveBeenCalled();
  });
});
