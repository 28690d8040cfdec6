import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { noMetrics } from '../kernel/metrics.ts';
import { seededRandom } from '../kernel/random.ts';
import { VirtualClock } from '../kernel/testing/virtual-clock.ts';
import type { IndexKind } from '../wire/window.ts';
import { createBackfillJobs } from './methods/backfill-jobs.ts';
import { historyOf, mayBeHad } from './source-history.ts';
import { createSourceSet, type SetMember } from './source-set.ts';
import type { Source, SourceHistory } from './sources/source.ts';
import { MemoryStore } from './spool/engine/testing/memory-store.ts';
import { openTestSpool, takeAll } from './spool/testing/open-test-spool.ts';
import { noon } from './time/testing/site.ts';
import { createWindows } from './windows/windows.ts';

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
    expect([mayBeHad('ring', answer('ring')), mayBeHad('meter', answer('meter'))]).toEqual([true, false]);
  });

  it('is nobody for what a rule decided', () => {
    const { load, answer, state } = bench();
    // A trial may bring the rule back, but nothing decides again what is past.
    state.isDecided = false;
    expect(mayBeHad('rule:hot', answer('rule:hot'))).toBe(false);
    state.isDecided = true;
    load([]);
    expect(answer('rule:hot')).toBe('no-history');
  });

  it('is not known while a source cannot be built, at the start or after a reload; it may have it all', async () => {
    const { sources, load, broken, answer } = bench();
    broken.add('ring');
    load([{ name: 'ring' }]);
    expect(answer('ring')).toBeUndefined();
    expect(mayBeHad('ring', answer('ring'))).toBe(true);
    broken.clear();
    await sources.change([], [{ name: 'ring' }]);
    expect(answer('ring')).toBe(ring);
    broken.add('ring');
    await sources.change([], [{ name: 'ring' }]);
    expect(answer('ring')).toBeUndefined();
    expect(mayBeHad('ring', answer('ring'))).toBe(true);
  });

  it('is not known where a stream is to be ordered by another kind of index: its source cannot be built, and nothing is void', async () => {
    const clock = new VirtualClock(noon);
    const answered: { answer?: ReturnType<typeof bench>['answer'] } = {};
    const { spool } = await openTestSpool(new MemoryStore(), {
      clock,
      retention: { archiveMs: 1e12, unsentMs: 1000, intervalMs: 1000 },
      freeBytes: async () => undefined,
      hasHistory: (batchId) => mayBeHad(batchId, answered.answer?.(batchId)),
    });
    const windows = createWindows({ store: spool, clock, log: silentLog, metrics: noMetrics });
    const sources = createSourceSet<{ readonly name: string; readonly index: IndexKind }, SetMember>({
      log: silentLog,
    });
    answered.answer = historyOf(sources as never, () => true);
    sources.load([{ name: 'ring', index: 'time' }], {
      build: ({ index }: { readonly index: IndexKind }, batchId: string) => {
        const sink = windows.openStream({ batchId, index });
        const readings = [{ index: noon + 10, tag: 'v', value: 1, quality: 'good' }] as const;
        sink.emit({ kind: 'resumed', at: noon });
        sink.emit({ kind: 'readings', readings });
        sink.emit({ kind: 'observed', until: noon + 50 });
        return { source: { history: ring }, start() {}, async stop() {} };
      },
      closeStream: (batchId: string) => windows.closeStream(batchId),
    } as never);
    expect(answered.answer('ring')).toBe(ring);
    const changed = sources.change([], [{ name: 'ring', index: 'sequence' }]);
    await clock.advance(1000);
    await changed;
    expect(sources.failed).toEqual([{ name: 'ring', reason: expect.stringContaining('ordered by time') }]);
    expect(answered.answer('ring')).toBeUndefined();
    const jobs = createBackfillJobs({
      store: spool,
      sources: answered.answer,
      frontier: async () => ({ below: noon + 100, isLive: false }),
      queued: () => 0,
      clock,
      random: seededRandom(1),
      log: silentLog,
      metrics: noMetrics,
    });
    await jobs.start();
    const range = { startWindow: String(noon), endWindow: String(noon + 100) };
    await jobs.request({ kind: 'windows', requestId: 'r1', batchId: 'ring', ...range, derivedId: false });
    await clock.advance(3_600_000);
    // It waits until the source can be asked.
    expect(jobs.get('r1')).toMatchObject({ state: 'running', voids: [] });
    expect(spool.stats().evicted).toBe(1);
    for (const lane of ['live', 'backlog', 'backfill'] as const)
      expect(await takeAll(spool, lane)).toEqual([]);
    await jobs.stop();
  });

  it('is nobody once the source was taken out of the configuration, also one that could not be built', async () => {
    const { sources, load, broken, answer } = bench();
    broken.add('meter');
    load([{ name: 'ring' }, { name: 'meter' }]);
    await sources.change(['ring', 'meter'], []);
    expect([answer('ring'), answer('meter')]).toEqual(['removed', 'removed']);
    expect(mayBeHad('ring', answer('ring'))).toBe(false);
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
    expect(mayBeHad('ring', answer('ring'))).toBe(true);
    load([]);
    expect(answer('ring')).toBe('removed');
  });
});
