import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../kernel/random.ts';
import { VirtualClock } from '../../../../kernel/testing/virtual-clock.ts';
import { type ChangeSource, createLink } from './link.ts';
import { moodOf } from './link-state.ts';
import { startPoller } from './poller.ts';

class FakeSource implements ChangeSource {
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  closed = false;
  listener: ((event: MessageEvent<string>) => void) | undefined;
  sendAway: ((event: MessageEvent<string>) => void) | undefined;
  addEventListener(type: 'changes' | 'bye', listener: (event: MessageEvent<string>) => void): void {
    if (type === 'changes') this.listener = listener;
    else this.sendAway = listener;
  }
  close(): void {
    this.closed = true;
  }
}

const event = {} as Event;

describe('the link', () => {
  const make = () => {
    const clock = new VirtualClock();
    const sources: FakeSource[] = [];
    const heard: unknown[] = [];
    const link = createLink({
      clock,
      random: seededRandom(1),
      open: () => {
        sources.push(new FakeSource());
        return sources.at(-1)!;
      },
    });
    link.onChanges((streams) => heard.push(streams));
    return { clock, sources, heard, link };
  };

  test('passes changes on, and has everything asked for anew after each connect', () => {
    const { sources, heard } = make();
    sources[0]!.onopen?.(event);
    sources[0]!.listener?.({ data: '{"streams":[3,4],"at":1}' } as MessageEvent<string>);
    expect(heard).toEqual(['all', [3, 4]]);
  });

  test('comes back by itself, later each time', async () => {
    const { clock, sources, link } = make();
    const delays: number[] = [];
    for (let i = 0; i < 6; i++) {
      sources.at(-1)!.onerror?.(event);
      expect(sources.at(-1)!.closed).toBe(true);
      delays.push(link.state().retryAt! - clock.now());
      await clock.advance(delays.at(-1)! + 1);
      expect(sources).toHaveLength(i + 2);
    }
    expect(delays[0]).toBeLessThanOrEqual(1000);
    expect(delays[5]).toBeGreaterThan(7000);
    expect(delays[5]).toBeLessThanOrEqual(15_000);
    link.loaded();
    sources.at(-1)!.onopen?.(event);
    expect(moodOf(link.state())).toBe('live');
  });

  test('comes back only after half a minute when it was sent away for others', async () => {
    const { clock, sources } = make();
    sources[0]!.sendAway?.({ data: '{"why":"too many"}' } as MessageEvent<string>);
    sources[0]!.onerror?.(event);
    await clock.advance(29_999);
    expect(sources).toHaveLength(1);
    await clock.advance(1);
    expect(sources).toHaveLength(2);
  });

  test('is tried at once when a person says so', () => {
    const { sources, link, heard } = make();
    sources[0]!.onerror?.(event);
    link.retryNow();
    expect(sources).toHaveLength(2);
    expect(heard).toEqual(['all']);
  });
});

describe('a poller', () => {
  const make = (load: (signal: AbortSignal) => Promise<number>) => {
    const clock = new VirtualClock();
    const seen: unknown[] = [];
    const poller = startPoller({
      clock,
      load,
      intervalMs: 10_000,
      spacingMs: 1000,
      onData: (data) => seen.push(data),
      onError: (error) => seen.push((error as Error).message),
    });
    return { clock, seen, poller };
  };

  test('asks at once, at its interval, and after failures', async () => {
    let n = 0;
    const { clock, seen } = make(async () => {
      if (++n === 2) throw new Error('away');
      return n;
    });
    await clock.advance(0);
    await clock.advance(10_000);
    await clock.advance(10_000);
    expect(seen).toEqual([1, 'away', 3]);
  });

  test('many changes are one question each spacing', async () => {
    let n = 0;
    const { clock, seen, poller } = make(async () => ++n);
    await clock.advance(0);
    for (let i = 0; i < 30; i++) {
      poller.wake();
      await clock.advance(100);
    }
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(seen.length).toBeLessThanOrEqual(4);
  });

  test('a change amid a question is asked for again', async () => {
    let answer: (n: number) => void = () => {};
    let asked = 0;
    const { clock, seen, poller } = make(() => {
      asked++;
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    poller.wake();
    answer(1);
    await clock.advance(1000);
    expect(asked).toBe(2);
    expect(seen).toEqual([1]);
  });

  test('says nothing once it is stopped', async () => {
    let answer: (n: number) => void = () => {};
    const { clock, seen, poller } = make(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    poller.stop();
    answer(1);
    await clock.advance(60_000);
    expect(seen).toEqual([]);
  });
});
