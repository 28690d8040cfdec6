import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { settle } from '../kernel/testing/virtual-clock.ts';
import { createSourceSet } from './source-set.ts';

interface Settings {
  readonly name: string;
  readonly batchId?: string;
}

function bench() {
  const calls: string[] = [];
  const gates = new Map<string, () => void>();
  const state = { slow: new Set<string>(), broken: new Set<string>() };
  const builder = {
    build: ({ name }: Settings, batchId: string) => {
      if (state.broken.has(name)) throw new Error(`${name} cannot be built`);
      calls.push(`build ${batchId}`);
      return {
        name,
        start: () => void calls.push(`start ${name}`),
        stop: async () => {
          calls.push(`stop ${name}`);
          if (state.slow.has(name)) await new Promise<void>((resolve) => gates.set(name, resolve));
        },
      };
    },
    closeStream: async (batchId: string) => void calls.push(`close ${batchId}`),
  };
  const set = createSourceSet<Settings, ReturnType<typeof builder.build>>({ log: silentLog });
  const load = (settings: readonly Settings[]) => set.load(settings, builder);
  return { set, load, calls, gates, state };
}

describe('the set of sources', () => {
  it('a change touches what it names alone: stops all of that, then starts', async () => {
    const { set, load, calls } = bench();
    load([{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
    set.start();
    calls.length = 0;
    await set.change(['c'], [{ name: 'b' }, { name: 'd' }]);
    expect(calls).toEqual(['stop c', 'stop b', 'close c', 'build b', 'start b', 'build d', 'start d']);
    expect([...set.running.keys()].sort()).toEqual(['a', 'b', 'd']);
  });

  it('a source that changes stays known until its successor is there', async () => {
    const { set, load, gates, state } = bench();
    load([{ name: 'a' }]);
    set.start();
    state.slow.add('a');
    const changed = set.change([], [{ name: 'a' }]);
    await settle();
    expect(set.running.has('a')).toBe(true);
    gates.get('a')?.();
    await changed;
    expect(set.running.has('a')).toBe(true);
  });

  it('one that cannot be built is left out and named, its stream closed, until it can', async () => {
    const { set, load, calls, state } = bench();
    state.broken.add('a');
    load([{ name: 'a' }, { name: 'b' }]);
    set.start();
    expect(set.failed).toEqual([{ name: 'a', reason: expect.stringContaining('cannot be built') }]);
    expect([...set.running.keys()]).toEqual(['b']);
    state.broken.add('b');
    await set.change([], [{ name: 'b' }]);
    expect(calls).toContain('close b');
    expect(set.failed.map(({ name }) => name)).toEqual(['a', 'b']);
    state.broken.clear();
    await set.change([], [{ name: 'a' }, { name: 'b' }]);
    expect(set.failed).toEqual([]);
    expect(set.running.size).toBe(2);
  });

  it('stopped amid a change it starts nothing any more', async () => {
    const { set, load, calls, gates, state } = bench();
    load([{ name: 'a' }]);
    set.start();
    state.slow.add('a');
    const changed = set.change([], [{ name: 'a' }]);
    await settle();
    state.slow.clear();
    await set.stop();
    gates.get('a')?.();
    await changed;
    expect(calls.filter((call) => call.startsWith('start'))).toEqual(['start a']);
  });

  it('before its start a change builds and does not start', async () => {
    const { set, load, calls } = bench();
    load([{ name: 'a' }]);
    await set.change([], [{ name: 'b' }]);
    expect(calls).not.toContain('start b');
    set.start();
    expect(calls).toContain('start b');
  });
});
