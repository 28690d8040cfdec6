import { describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { settle } from '../../kernel/testing/virtual-clock.ts';
import { LearnedBook } from './learned.ts';

/** A disk that refuses when told to. */
function disk() {
  const settings = new Map<string, unknown>();
  const state = { refuses: false, writes: 0 };
  return {
    settings,
    state,
    async putSetting(name: string, value: unknown) {
      state.writes += 1;
      await settle();
      if (state.refuses) throw new Error('the disk is full');
      settings.set(name, structuredClone(value));
    },
    getSetting: async (name: string) => settings.get(name),
  };
}

describe('what was learned of the equipment', () => {
  it('is known again after a restart, each source its own', async () => {
    const store = disk();
    const book = await LearnedBook.open(store, silentLog);
    book.of('press').note('connection', { connectDelayMs: 1500 });
    book.of('oven').note('sizes', { nodesPerRead: 75 });
    await settle();
    await settle();
    const again = await LearnedBook.open(store, silentLog);
    expect(again.of('press').get()).toEqual({ connection: { connectDelayMs: 1500 } });
    expect(again.get('oven')).toEqual({ sizes: { nodesPerRead: 75 } });
    expect(again.get('nobody')).toEqual({});
  });

  it('is forgotten on request, on the disk as well, of one or of all', async () => {
    const store = disk();
    const book = await LearnedBook.open(store, silentLog);
    for (const name of ['press', 'oven', 'scale']) book.of(name).note('sizes', { nodesPerRead: 1 });
    expect(await book.forget('press')).toBe(true);
    expect(await book.forget('press')).toBe(false);
    expect(book.of('press').get()).toEqual({});
    expect((await LearnedBook.open(store, silentLog)).get('press')).toEqual({});
    expect((await LearnedBook.open(store, silentLog)).get('oven')).toEqual({ sizes: { nodesPerRead: 1 } });
    expect(await book.forget()).toBe(true);
    expect((await LearnedBook.open(store, silentLog)).get('oven')).toEqual({});
  });

  it.each([[undefined], [null], [7], ['text'], [{ press: 5, oven: [1] }]])(
    'is nothing where what was stored is %j',
    async (stored) => {
      const store = disk();
      store.settings.set('learned', stored);
      const book = await LearnedBook.open(store, silentLog);
      expect([book.get('press'), book.get('oven')]).toEqual([{}, {}]);
    },
  );

  it('is used though a disk does not keep it, and no more than a little is kept', async () => {
    const store = disk();
    store.state.refuses = true;
    const book = await LearnedBook.open(store, silentLog);
    book.of('press').note('sizes', { nodesPerRead: 75 });
    for (let at = 0; at < 100; at++) book.of('press').note('text', 'x'.repeat(100_000));
    await settle();
    expect(book.get('press')).toEqual({ sizes: { nodesPerRead: 75 } });
    for (let at = 0; at < 1100; at++) book.of(`unit-${at}`).note('sizes', {});
    expect(book.get('unit-0')).toEqual({});
    await settle();
    await settle();
    expect(store.state.writes).toBeLessThan(10);
  });
});
