import { describe, expect, it } from 'vitest';
import { settle } from '../../../kernel/testing/virtual-clock.ts';
import { type TurnLane, TurnQueue } from './turn-queue.ts';

/** Work that ends when told to, and writes down when it began. */
function setUp() {
  const queue = new TurnQueue();
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  let running = 0;
  const take = (lane: TurnLane, name: string, signal?: AbortSignal) =>
    queue.run(
      lane,
      () =>
        new Promise<string>((resolve) => {
          running += 1;
          expect(running).toBe(1);
          begun.push(name);
          ends.push(() => {
            running -= 1;
            resolve(name);
          });
        }),
      signal,
    );
  const endOne = async () => {
    ends.shift()?.();
    await settle();
  };
  return { begun, take, endOne };
}

describe('the turn queue', () => {
  it('runs one at a time, and passes results on', async () => {
    const { begun, take, endOne } = setUp();
    const [first, second] = [take('live', 'a'), take('live', 'b')];
    expect(begun).toEqual(['a']);
    await endOne();
    expect(begun).toEqual(['a', 'b']);
    await endOne();
    expect(await Promise.all([first, second])).toEqual(['a', 'b']);
  });

  it('lets history and live alternate, so that neither starves', async () => {
    const { begun, take, endOne } = setUp();
    void take('live', 'live 0');
    for (let i = 1; i <= 3; i++) void take('live', `live ${i}`);
    for (let i = 1; i <= 3; i++) void take('history', `history ${i}`);
    for (let i = 0; i < 7; i++) await endOne();
    expect(begun).toEqual(['live 0', 'history 1', 'live 1', 'history 2', 'live 2', 'history 3', 'live 3']);
  });

  it('lets writes go first', async () => {
    const { begun, take, endOne } = setUp();
    void take('history', 'h');
    void take('history', 'h2');
    void take('live', 'l');
    void take('write', 'w');
    for (let i = 0; i < 4; i++) await endOne();
    expect(begun).toEqual(['h', 'w', 'l', 'h2']);
  });

  it('passes the turn on when work fails', async () => {
    const queue = new TurnQueue();
    const failed = queue.run('live', () => Promise.reject(new Error('no')));
    const next = queue.run('live', async () => 'next');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('next');
  });

  it('forgets who is told to stop while waiting', async () => {
    const { begun, take, endOne } = setUp();
    void take('live', 'a');
    const abort = new AbortController();
    const waiting = take('history', 'never', abort.signal);
    void take('live', 'b');
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await endOne();
    await endOne();
    expect(begun).toEqual(['a', 'b']);
  });

  it('keeps the turn until work that was told to stop has ended', async () => {
    const { begun, take, endOne } = setUp();
    const abort = new AbortController();
    const stopped = take('history', 'a', abort.signal);
    void take('live', 'b');
    abort.abort(new Error('enough'));
    await expect(stopped).rejects.toThrow('enough');
    expect(begun).toEqual(['a']);
    await endOne();
    expect(begun).toEqual(['a', 'b']);
  });
});
