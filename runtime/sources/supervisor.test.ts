import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../kernel/errors.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { settle, VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { SourceSink } from './source.ts';
import { superviseSource } from './supervisor.ts';
import { FakeSource } from './testing/fake-source.ts';
import { RecordingSink } from './testing/recording-sink.ts';

function setUp(source = new FakeSource({ silenceLimitMs: 10_000 }), sink: SourceSink = new RecordingSink()) {
  const warnings: string[] = [];
  const clock = new VirtualClock();
  const counts = new Map<string, number>();
  const supervised = superviseSource({
    name: 'press',
    source,
    sink,
    clock,
    random: seededRandom(7),
    log: { ...silentLog, warn: (_: object, text: string) => void warnings.push(text) },
    metrics: {
      ...noMetrics,
      count: (name, _labels, by = 1) => counts.set(name, (counts.get(name) ?? 0) + by),
    },
  });
  return { clock, source, sink: sink as RecordingSink, supervised, counts, warnings };
}

const lost = () => new HoldfastError('modbus-connection-lost', 'gone', { retryable: true });

describe('the supervisor of a source', () => {
  it('leaves a break where a lost session had observed to', async () => {
    const { clock, source, sink, supervised } = setUp();
    supervised.start();
    source.sample(clock.now(), { a: 1 }, true);
    const at = clock.now() + 1;
    source.lose(lost());
    await settle();
    expect(sink.events.at(-1)).toEqual({ kind: 'broken', at, reason: 'modbus-connection-lost' });
    expect(supervised.state()).toMatchObject({ phase: 'backoff', breaks: 1, readings: 1, sessions: 1 });
    expect(supervised.state().lastError).toMatchObject({ code: 'modbus-connection-lost', message: 'gone' });
  });

  it('counts no attempt in vain as a session, and the time without a connection over all of them', async () => {
    const { clock, source, supervised, counts } = setUp();
    const startedAt = clock.now();
    supervised.start();
    source.lose(lost());
    await clock.advance(600_000);
    expect(source.sessions).toBeGreaterThan(3);
    expect(supervised.state()).toMatchObject({ sessions: 0, disconnectedSince: startedAt });
    expect(counts.get('holdfast_source_sessions_total')).toBe(0);
    source.restore();
    for (let step = 0; step < 600 && !source.isRunning; step++) await clock.advance(100);
    source.sample(clock.now(), { a: 1 }, true);
    source.sample(clock.now() + 1, { a: 2 });
    expect(supervised.state()).toMatchObject({ phase: 'connected', sessions: 1 });
    expect(supervised.state().disconnectedSince).toBeUndefined();
    const lostAt = clock.now();
    source.lose(lost());
    await clock.advance(600_000);
    expect(supervised.state()).toMatchObject({ sessions: 1, disconnectedSince: lostAt });
    expect(counts.get('holdfast_source_sessions_total')).toBe(1);
    await supervised.stop();
  });

  it('is as long without a connection, and without readings, as time passed, whatever the wall clock was set to', async () => {
    const { clock, source, supervised } = setUp();
    supervised.start();
    source.sample(clock.now(), { a: 1 }, true);
    await clock.advance(2000);
    source.lose(lost());
    for (const byMs of [31_536_000_000, -400_000_000_000]) {
      await clock.advance(5000);
      clock.stepWall(byMs);
    }
    const { since, disconnectedSince, lastError, lastEventAt, lastReadingAt } = supervised.state();
    const ages = [disconnectedSince, lastError?.at, lastEventAt, lastReadingAt].map(
      (at) => clock.now() - at!,
    );
    expect(ages).toEqual([10_000, expect.any(Number), 12_000, 12_000]);
    for (const at of [since, lastError!.at]) expect(clock.now() - at).toBeLessThanOrEqual(10_000);
    await supervised.stop();
  });

  it('calls a session lost that was there, and says of one that never was that there is none', async () => {
    const there = setUp();
    there.supervised.start();
    there.source.sample(there.clock.now(), { a: 1 }, true);
    there.source.lose(lost());
    await settle();
    expect(there.warnings).toEqual([expect.stringMatching(/^session lost: /)]);
    const never = setUp();
    never.supervised.start();
    never.source.lose(lost());
    await settle();
    expect(never.warnings).toEqual([expect.stringMatching(/^no session: /)]);
  });

  it('states no second break when the session had already stated one', async () => {
    const { clock, source, sink, supervised } = setUp();
    supervised.start();
    source.sample(clock.now(), { a: 1 }, true);
    source.emit({ kind: 'broken', at: clock.now() + 1, reason: 'poll-missed' });
    source.lose(lost());
    await settle();
    expect(sink.of('broken')).toHaveLength(1);
    expect(supervised.state().breaks).toBe(1);
  });

  it('does not claim the index of a reading that was not followed by a statement', async () => {
    const { source, sink, supervised } = setUp();
    supervised.start();
    source.emit({ kind: 'resumed', at: 100 });
    source.emit({ kind: 'readings', readings: [{ index: 120, tag: 'a', value: 1, quality: 'good' }] });
    source.lose(lost());
    await settle();
    expect(sink.events.at(-1)).toMatchObject({ kind: 'broken', at: 120 });
    expect(sink.breaches()).toEqual([]);
  });

  it('waits longer after each failure, from at least half a second up to 30, and less once it has worked', async () => {
    const { clock, source, supervised } = setUp();
    source.lose();
    supervised.start();
    const begun: number[] = [];
    let sessions = 0;
    for (let ms = 0; ms < 200_000; ms += 100) {
      await clock.advance(100);
      if (source.sessions > sessions) begun.push(clock.monotonic());
      sessions = source.sessions;
    }
    const waits = begun.slice(1).map((at, i) => at - begun[i]!);
    expect(waits[0]).toBeLessThanOrEqual(2100);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...waits)).toBeGreaterThan(14_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_100);
    source.restore();
    await clock.advance(30_000);
    source.sample(clock.now(), { a: 1 }, true);
    source.lose();
    const before = source.sessions;
    await clock.advance(1100);
    expect(source.sessions).toBe(before + 1);
  });

  it('restarts a session that has gone silent', async () => {
    const { clock, source, sink, supervised } = setUp();
    supervised.start();
    source.sample(clock.now(), { a: 1 }, true);
    await clock.advance(6000);
    source.sample(clock.now(), { a: 2 });
    await clock.advance(9900);
    expect(sink.of('broken')).toEqual([]);
    await clock.advance(200);
    expect(sink.of('broken')).toMatchObject([{ reason: 'source-silent' }]);
    await clock.advance(1100);
    expect(source.sessions).toBe(2);
    expect(supervised.state().lastError?.code).toBe('source-silent');
  });

  it('leaves behind a session that does not stop, and ignores what it still reports', async () => {
    const { clock, source, sink, supervised, counts } = setUp();
    source.mode = 'deaf';
    supervised.start();
    source.sample(clock.now(), { a: 1 }, true);
    await clock.advance(10_000);
    expect(supervised.state().abandoned).toBe(0);
    await clock.advance(2000);
    expect(supervised.state().abandoned).toBe(1);
    expect(counts.get('holdfast_source_abandoned_sessions_total')).toBe(1);
    const events = sink.events.length;
    source.sample(clock.now(), { a: 2 });
    expect(sink.events.length).toBe(events);
    await clock.advance(1100);
    source.sample(clock.now(), { a: 3 }, true);
    expect(sink.readings.at(-1)?.value).toBe(3);
    expect(sink.breaches()).toEqual([]);
  });

  it('refuses to wait for durability on behalf of a session that is over', async () => {
    const source = new FakeSource();
    let kept: SourceSink | undefined;
    const run = source.run.bind(source);
    source.run = (sink, signal) => {
      kept = sink;
      return run(sink, signal);
    };
    const { supervised } = setUp(source);
    supervised.start();
    source.lose(lost());
    await settle();
    await expect(kept!.durable()).rejects.toMatchObject({ code: 'source-session-over' });
    await supervised.stop();
  });

  it('stops promptly: in a session, in a backoff, and within the bound when the session is deaf', async () => {
    const running = setUp();
    running.supervised.start();
    running.source.sample(running.clock.now(), { a: 1 }, true);
    await running.supervised.stop();
    expect(running.supervised.state().phase).toBe('stopped');
    expect(running.sink.events.at(-1)).toMatchObject({ kind: 'broken', reason: 'source-stopped' });
    expect(running.supervised.state().lastError).toBeUndefined();

    const waiting = setUp();
    waiting.source.lose();
    waiting.supervised.start();
    await settle();
    expect(waiting.supervised.state().phase).toBe('backoff');
    await waiting.supervised.stop();
    expect(waiting.clock.pendingTimers).toBe(0);

    const deaf = setUp();
    deaf.source.mode = 'deaf';
    deaf.supervised.start();
    const stopped = deaf.supervised.stop();
    await deaf.clock.advance(2000);
    await stopped;
    expect(deaf.supervised.state()).toMatchObject({ phase: 'stopped', abandoned: 1 });
  });

  it('never starts again after it was stopped', async () => {
    const { source, supervised } = setUp();
    await supervised.stop();
    supervised.start();
    await settle();
    expect(source.sessions).toBe(0);
  });

  it('survives a source that throws at once, throws nothing, or ends without a reason', async () => {
    const source = new FakeSource();
    const { clock, supervised } = setUp(source);
    const outcomes = [
      () => {
        throw new TypeError('a bug');
      },
      () => Promise.reject(undefined),
      () => Promise.resolve(),
    ];
    source.run = () => {
      source.sessions += 1;
      return outcomes[(source.sessions - 1) % 3]!();
    };
    supervised.start();
    await clock.advance(20_000);
    expect(source.sessions).toBeGreaterThanOrEqual(3);
    await supervised.stop();
  });

  it('restarts a session that goes on although its stream is broken', async () => {
    const source = new FakeSource();
    const sink = new RecordingSink();
    const { clock, supervised } = setUp(source, sink);
    supervised.start();
    source.sample(clock.now(), { a: 1 }, true);
    sink.refuse(1000);
    for (let n = 1; n <= 120; n++) source.emit({ kind: 'observed', until: clock.now() + n });
    await settle();
    expect(supervised.state()).toMatchObject({ breaks: 1, lastError: { code: 'source-not-resumed' } });
    expect(sink.of('broken')).toEqual([{ kind: 'broken', at: clock.now() + 1, reason: 'refused' }]);
    await clock.advance(1100);
    expect(source.sessions).toBe(2);
    await supervised.stop();
  });

  it('goes on when a sink throws', async () => {
    const source = new FakeSource();
    const sink = {
      emit(event: { kind: string }) {
        if (event.kind === 'broken') throw new Error('a bug in the sink');
        return true;
      },
      durable: () => Promise.resolve(),
    };
    const { clock, supervised } = setUp(source, sink);
    supervised.start();
    source.sample(clock.now(), { a: 1 }, true);
    source.lose(lost());
    source.restore();
    await clock.advance(1100);
    expect(source.sessions).toBe(2);
    await supervised.stop();
  });

  it('does not let one failing source touch another', async () => {
    const good = setUp();
    const bad = setUp();
    bad.source.run = () => Promise.reject(new Error('always'));
    good.supervised.start();
    bad.supervised.start();
    await bad.clock.advance(60_000);
    good.source.sample(good.clock.now(), { a: 1 }, true);
    expect(good.supervised.state()).toMatchObject({ phase: 'connected', sessions: 1, breaks: 0 });
    await Promise.all([good.supervised.stop(), bad.supervised.stop()]);
  });

  it('that is held ends its session with a break, asks no more, and goes on once released', async () => {
    const { clock, source, sink, supervised } = setUp();
    supervised.start();
    source.sample(clock.now(), { a: 1 }, true);
    supervised.pause(true);
    await settle();
    expect(sink.events.at(-1)).toMatchObject({ kind: 'broken', reason: 'source-paused' });
    expect(supervised.state()).toMatchObject({ phase: 'held', sessions: 1 });
    expect(supervised.state().lastError).toBeUndefined();
    await clock.advance(600_000);
    expect(supervised.state()).toMatchObject({ phase: 'held', sessions: 1 });
    supervised.pause(false);
    await settle();
    expect(source.sessions).toBe(2);
    source.sample(clock.now(), { a: 2 }, true);
    expect(supervised.state()).toMatchObject({ phase: 'connected', sessions: 2 });
    await supervised.stop();
  });

  it('that is held before it starts connects once released, and stops while held', async () => {
    const { source, supervised } = setUp();
    supervised.pause(true);
    supervised.start();
    await settle();
    expect(supervised.state().phase).toBe('held');
    expect(source.sessions).toBe(0);
    supervised.pause(false);
    await settle();
    expect(source.sessions).toBe(1);
    supervised.pause(true);
    await settle();
    await supervised.stop();
    expect(supervised.state().phase).toBe('stopped');
  });
});
