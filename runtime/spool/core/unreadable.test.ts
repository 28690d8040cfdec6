// A segment of the value log that the disk does not return. What is in other files goes on.
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { settle, VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { MemoryStore } from '../engine/testing/memory-store.ts';
import { idOf } from '../format/keys.ts';
import { all, change, closed, idsOf, openTestSpool, takeAll, window } from '../testing/open-test-spool.ts';
import { unreadableLimits } from './unreadable.ts';

const { pauseMs, triesOfMedium, triesOfOthers } = unreadableLimits;

/** Refuses messages with the ids in `bad`, as the engine does. */
class RefusingStore extends MemoryStore {
  bad = new Set<number>();
  code = 'EACCES';

  override async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    if (key[0] === 0x72 && this.bad.has(idOf(key))) {
      const cause = Object.assign(new Error(`${this.code}: open '00000001.values'`), { code: this.code });
      throw new HoldfastError('store-read-failed', 'reading the store failed', { retryable: true, cause });
    }
    return super.get(key);
  }
}

async function setUp(code: string) {
  const store = new RefusingStore();
  store.code = code;
  const clock = new VirtualClock();
  const { spool } = await openTestSpool(store, { clock });
  for (let n = 0; n < 6; n++)
    await spool.commitWindows([change('a', [closed('a', window(n * 10, n * 10 + 10))])]);
  const ids = store.entries.filter(({ key }) => key[0] === 0x72).map(({ key }) => idOf(key));
  store.bad = new Set(ids.slice(0, 3));
  return { store, clock, spool };
}

describe('messages that cannot be read', () => {
  it('are passed over: what is behind them goes, the spool is failing and says why', async () => {
    const { spool, clock } = await setUp('EACCES');
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;30-40', 'a;40-50', 'a;50-60']);
    expect(spool.depth('live').messages).toBe(6);
    expect(spool.stats()).toMatchObject({
      state: 'failing',
      problem: expect.stringMatching(/3 messages cannot be read.*00000001\.values/),
      problemSince: clock.now(),
      damaged: 0,
    });
    await spool.commitWindows([change('a', [closed('a', window(60, 70))])]);
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;60-70']);
    await spool.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('are sent once they can be read, in their order', async () => {
    const { spool, clock, store } = await setUp('EACCES');
    await takeAll(spool, 'live');
    store.bad.clear();
    let work = 0;
    spool.onWork(() => work++);
    await clock.advance(pauseMs);
    expect(work).toBe(1);
    expect(idsOf(await takeAll(spool, 'live'))).toEqual(['a;0-10', 'a;10-20', 'a;20-30']);
    expect(spool.stats()).toMatchObject({ state: 'ok', damaged: 0 });
    await spool.close();
  });

  it.each([
    ['EIO', triesOfMedium],
    ['EACCES', triesOfOthers],
  ])('with %s are given up after %i tries: holes, which the archive no longer names', async (code, tries) => {
    const { spool, clock } = await setUp(code);
    for (let n = 1; n < tries; n++) {
      await takeAll(spool, 'live');
      // Asking more often is no more tries.
      await takeAll(spool, 'live');
      expect(spool.stats().damaged).toBe(0);
      await clock.advance(pauseMs);
    }
    await takeAll(spool, 'live');
    await settle();
    expect(spool.stats()).toMatchObject({ state: 'ok', damaged: 3 });
    expect(spool.depth('live').messages).toBe(3);
    expect((await spool.find('a', window(0, 60), 10)).map(({ window: { start } }) => start)).toEqual([
      30, 40, 50,
    ]);
    await spool.close();
  });

  it('are no reason to hand out nothing where the store itself does not answer: then nothing is passed over', async () => {
    const { spool, store } = await setUp('EACCES');
    store.getMany = async () => {
      throw new HoldfastError('store-read-failed', 'the index does not answer', { retryable: true });
    };
    await expect(spool.take('live', all)).rejects.toThrow('does not answer');
    expect(spool.stats()).toMatchObject({ state: 'ok' });
    await spool.close();
  });
});
