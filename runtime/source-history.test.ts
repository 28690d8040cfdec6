import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { historyOf, mayBeHad } from './source-history.ts';
import { createSourceSet } from './source-set.ts';
import type { Source, SourceHistory } from './sources/source.ts';

const ring: SourceHistory = { read: () => expect.fail('nobody asks') };

function bench(isDecided = true) {
  const broken = new Set<string>();
  const builder = {
    build: ({ name }: { readonly name: string }) => {
      if (broken.has(name)) throw new Error('its certificate is not there');
      const source = (name === 'ring' ? { history: ring } : {}) as Source;
      return { source, start() {}, async stop() {} };
    },
    closeStream: async () => {},
  };
  const sources = createSourceSet<{ readonly name: string }, ReturnType<typeof builder.build>>({
    log: silentLog,
  });
  const load = (settings: readonly { readonly name: string }[]) => sources.load(settings, builder);
  const state = { isDecided };
  const answer = historyOf(sources as never, () => state.isDecided);
  return { sources, load, broken, state, answer };
}

describe('the history that can supply missing readings of a stream', () => {
  it('is the equipment of a source that was built, where it remembers; else nobody', () => {
    const { load, answer } = bench();
    load([{ name: 'ring' }, { name: 'meter' }]);
    expect(answer('ring')).toBe(ring);
    expect(answer('meter')).toBe('no-history');
    expect([mayBeHad(answer('ring')), mayBeHad(answer('meter'))]).toEqual([true, false]);
  });

  it('is nobody for what a rule decided', () => {
    const { load, answer } = bench();
    load([]);
    expect(answer('rule:hot')).toBe('no-history');
  });

  it('is not known while a source cannot be built, at the start or after a reload; it may have it all', async () => {
    const { sources, load, broken, answer } = bench();
    broken.add('ring');
    load([{ name: 'ring' }]);
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
    const { sources, load, broken, answer } = bench();
    broken.add('meter');
    load([{ name: 'ring' }, { name: 'meter' }]);
    await sources.change(['ring', 'meter'], []);
    expect([answer('ring'), answer('meter')]).toEqual(['removed', 'removed']);
    expect(mayBeHad(answer('ring'))).toBe(false);
  });

  it('is not known while nobody has given a configuration: every stream would count as removed', () => {
    const { load, state, answer } = bench(false);
    load([]);
    expect(answer('ring')).toBeUndefined();
    state.isDecided = true;
    expect(answer('ring')).toBe('removed');
  });

  it('is not known while a configuration is on trial that leaves the source out, or names no history of it', () => {
    const { load, state, answer } = bench(false);
    load([{ name: 'ring' }, { name: 'meter' }]);
    expect([answer('ring'), answer('meter'), answer('press')]).toEqual([ring, undefined, undefined]);
    state.isDecided = true;
    expect([answer('meter'), answer('press')]).toEqual(['no-history', 'removed']);
  });

  it('is not known before the sources are loaded, although a configuration is there', () => {
    const { load, answer } = bench();
    expect(answer('ring')).toBeUndefined();
    expect(mayBeHad(answer('ring'))).toBe(true);
    load([]);
    expect(answer('ring')).toBe('removed');
  });
});
