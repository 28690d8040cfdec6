import { describe, expect, it } from 'vitest';
import { twinWish } from './twin-wish.ts';

describe('what the twin wishes', () => {
  it('is nothing where it holds nothing of ours', () => {
    expect(twinWish({ $version: 3 })).toEqual({ kind: 'none' });
    expect(twinWish({ $version: 3, $metadata: { $lastUpdated: 'x' } })).toEqual({ kind: 'none' });
  });

  it('is a configuration, without what the twin itself adds', () => {
    expect(twinWish({ $version: 4, sources: [] })).toEqual({
      kind: 'inline',
      version: '4',
      value: { sources: [] },
    });
  });

  it('is settings over the file, where neither sources nor a file are in it', () => {
    expect(twinWish({ $version: 6, logLevel: 'debug' })).toEqual({
      kind: 'settings',
      version: '6',
      overlay: { logLevel: 'debug' },
    });
  });

  it('is a file, by absolute path, with its sum or without', () => {
    expect(twinWish({ $version: 5, configFile: '/data/a.yaml' })).toEqual({
      kind: 'file',
      version: '5',
      path: '/data/a.yaml',
    });
    const hash = 'ab'.repeat(32);
    expect(twinWish({ configFile: '/data/a.yaml', configHash: hash })).toMatchObject({ kind: 'file', hash });
  });

  it.each([
    [{ configFile: 'a.yaml' }, ['configFile']],
    [{ configFile: 7, configHash: 'x' }, ['configFile', 'configHash']],
    [{ configHash: 'ab'.repeat(32) }, ['configFile']],
    [{ configFile: '/a', sources: [], logLevel: 'debug' }, ['sources', 'logLevel']],
  ])('%j is refused at %j', (desired, paths) => {
    const wish = twinWish(desired);
    expect(wish.kind).toBe('bad');
    expect(wish.kind === 'bad' && wish.problems.map(({ path }) => path)).toEqual(paths);
  });
});
