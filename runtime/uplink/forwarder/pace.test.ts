import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRateCaps } from './pace.ts';

const none = { messagesPerSecond: 0, bytesPerSecond: 0, messagesPerDay: 0, liveReserve: 0.5 };
const day = 86_400_000;
const noon = Date.UTC(2026, 0, 1, 12);

describe('caps', () => {
  test('without caps nothing waits', () => {
    const caps = createRateCaps(none);
    for (let i = 0; i < 10_000; i++) caps.spend(262_144, 0, noon);
    expect(caps.ask('backfill', 0, noon)).toMatchObject({ kind: 'free', messages: Infinity });
  });

  test('over any time, no more is sent than the rates allow, plus one second and one message', () => {
    const arrival = fc.record({
      gapMs: fc.integer({ min: 0, max: 700 }),
      bytes: fc.integer({ min: 1, max: 60_000 }),
    });
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 300 }), (arrivals) => {
        const caps = createRateCaps({ ...none, messagesPerSecond: 5, bytesPerSecond: 40_000 });
        let now = 0;
        let messages = 0;
        let bytes = 0;
        for (const { gapMs, bytes: size } of arrivals) {
          now += gapMs;
          if (caps.ask('live', now, noon + now).kind !== 'free') continue;
          caps.spend(size, now, noon + now);
          messages++;
          bytes += size;
        }
        expect(messages).toBeLessThanOrEqual((now / 1000) * 5 + 5 + 1);
        expect(bytes).toBeLessThanOrEqual((now / 1000) * 40_000 + 40_000 + 60_000);
      }),
    );
  });

  test('who waits as long as told may send', () => {
    const caps = createRateCaps({ ...none, bytesPerSecond: 1_000 });
    caps.spend(5_000, 0, noon);
    const answer = caps.ask('live', 0, noon);
    if (answer.kind !== 'wait') throw new Error('should wait');
    expect(answer).toMatchObject({ reason: 'rate', ms: 4_000 });
    expect(caps.ask('live', answer.ms - 10, noon).kind).toBe('wait');
    expect(caps.ask('live', answer.ms + 1, noon).kind).toBe('free');
  });

  test('messages a day are counted as the hub meters them, and live data keeps its reserve', () => {
    const caps = createRateCaps({ ...none, messagesPerDay: 100, liveReserve: 0.2 });
    for (let i = 0; i < 20; i++) caps.spend(4 * 4096, 0, noon);
    expect(caps.dayUse(noon).units).toBe(80);
    expect(caps.ask('backlog', 0, noon)).toEqual({ kind: 'wait', reason: 'daily-cap', ms: day / 2 });
    expect(caps.ask('live', 0, noon).kind).toBe('free');
    caps.spend(20 * 4096, 0, noon);
    expect(caps.ask('live', 0, noon).kind).toBe('wait');
    expect(caps.ask('backlog', 0, noon + day / 2).kind).toBe('free');
  });

  test('neither a restart nor a clock that goes back gives the day anew', () => {
    const caps = createRateCaps({ ...none, messagesPerDay: 10 }, { day: Math.floor(noon / day), units: 10 });
    expect(caps.ask('live', 0, noon).kind).toBe('wait');
    expect(caps.ask('live', 0, noon - day).kind).toBe('wait');
    expect(caps.ask('live', 0, noon + day).kind).toBe('free');
  });
});
