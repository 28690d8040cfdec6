import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { historyOf, mayBeHad } from './source-history.ts';
import { createSourceSet } from './source-set.ts';
import type { Source, SourceHistory } from './sources/source.ts';

const ring: SourceHistory = { read: () => expect.fail('nobody asks') };

function bench(isDecided = true) {
  const broken = new Set<string>();
  const sources = createSourceSet({
    build: ({ name }: { readonly name: string }) => {
      if (broken.has(name)) throw new Error('its certificate is not there');
      const source = (name === 'ring' ? { history: ring } : {}) as Source;
      return { source, start() {}, async stop() {} };
    },
    closeStream: async () => {},
    log: silentLog,
  });
  const state = { isDecided };
  const answer = historyOf(sources as never, () => state.isDecided);
  return { sources, broken, state, answer };
}

describe('who can be asked for what a stream lacks', () => {
  it('is the equipment of a source that was built, where it remembers; else nobody', () => {
    const { sources, answer } = bench();
    sources.load([{ name: 'ring' }, { name: 'meter' }]);
    expect(answer('ring')).toBe(ring);
    expect(answer('meter')).toBe('no-history');
    expect([mayBeHad(answer('ring')), mayBeHad(answer('meter'))]).toEqual([true, false]);
  });

  it('is not known while a source cannot be built, at the start or after a reload; it may have it all', async () => {
    const { sources, broken, answer } = bench();
    broken.add('ring');
    sources.load([{ name: 'ring' }]);
    expect(answer('ring')).toBeUndefined();
    expect(mayBeHad(answer('ring'))).toBe(true);
    broken.clear();
    await sources.change([], [{ name: 'ring' }]);
    expect(answer('ring')).toBe(ring);
    broken.add('ring');
    await sources.change([], [{ name: 'ring' }]);
    expect(answer('ring')).toBeUndefined();
    expect(mayBeHad(answer('ring'))).toBe(true);
  });

  it('is nobody once the source was taken out of the configuration, also one that could not be built', async () => {
    const { sources, broken, answer } = bench();
    broken.add('meter');
    sources.load([{ name: 'ring' }, { name: 'meter' }]);
    await sources.change(['ring', 'meter'], []);
    expect([answer('ring'), answer('meter')]).toEqual(['removed', 'removed']);
    expect(mayBeHad(answer('ring'))).toBe(false);
  });

  it('is not known while nobody has given a configuration: every stream would count as removed', () => {
    const { sources, state, answer } = bench(false);
    sources.load([]);
    expect(answer('ring')).toBeUndefined();
    state.isDecided = true;
    expect(answer('ring')).toBe('removed');
  });
});
