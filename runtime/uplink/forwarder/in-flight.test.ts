import { describe, expect, test } from 'vitest';
import { createInFlight } from './in-flight.ts';

const limits = { inFlightMessages: 64, inFlightBytes: 8 * 1024 * 1024 };

describe('in flight', () => {
  test('count and bytes are bounded', () => {
    const inFlight = createInFlight(limits);
    for (let i = 0; i < 64; i++) inFlight.sent('live', 1_000);
    expect(inFlight.room('live').messages).toBe(0);
    const heavy = createInFlight(limits);
    for (let i = 0; i < 32; i++) heavy.sent('live', 262_144);
    expect(heavy.room('live')).toEqual({ messages: 0, bytes: 0 });
  });

  test('what is not live leaves slots and bytes to live data', () => {
    const inFlight = createInFlight(limits);
    let sent = 0;
    while (inFlight.room('backlog').messages > 0) {
      inFlight.sent('backlog', 1_000);
      sent++;
    }
    expect(sent).toBe(48);
    expect(inFlight.room('live').messages).toBe(16);
  });

  test('on a slow link no more than half a second of backlog is in flight', () => {
    const inFlight = createInFlight(limits);
    const bytes = 100_000;
    let now = 0;
    // 1 MB/s, always something in flight.
    for (let i = 0; i < 8; i++) inFlight.sent('backlog', bytes);
    for (let i = 0; i < 40; i++) {
      now += 100;
      inFlight.sent('backlog', bytes);
      inFlight.done('backlog', bytes, true, now);
    }
    for (let i = 0; i < 8; i++) inFlight.done('backlog', bytes, false, now);
    expect(inFlight.room('backlog').bytes).toBeGreaterThan(400_000);
    expect(inFlight.room('backlog').bytes).toBeLessThan(600_000);
    expect(inFlight.room('live').bytes).toBe(limits.inFlightBytes);
  });

  test('a new connection is asked with one message before more is trusted to it', () => {
    const inFlight = createInFlight(limits);
    inFlight.restart();
    expect(inFlight.room('live').messages).toBe(1);
    inFlight.sent('backlog', 500_000);
    expect(inFlight.room('live').messages).toBe(0);
    inFlight.done('backlog', 500_000, false, 1);
    expect(inFlight.room('backlog').messages).toBe(1);
    inFlight.sent('live', 1_000);
    inFlight.done('live', 1_000, true, 2);
    expect(inFlight.room('live').messages).toBe(64);
  });

  test('throttling halves the window, success opens it again, and it never closes', () => {
    const inFlight = createInFlight(limits);
    for (let i = 0; i < 20; i++) inFlight.shrink();
    expect(inFlight.room('live').messages).toBe(1);
    expect(inFlight.room('backfill').messages).toBe(1);
    for (let i = 0; i < 5_000; i++) {
      inFlight.sent('live', 1);
      inFlight.done('live', 1, true, i);
    }
    expect(inFlight.room('live').messages).toBe(64);
  });
});
