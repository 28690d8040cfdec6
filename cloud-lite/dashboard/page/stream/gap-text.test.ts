import { describe, expect, test } from 'vitest';
import { gapCause, gapStateText } from './gap-text.ts';

const gap = {
  state: 'open',
  missing: [[0, 1]],
  abandoned: false,
  requests: 1,
  lastState: null,
  lastAnswer: null,
  index: 'time',
  lateSeries: null,
  start: 0,
  end: 15_600,
  lost: [] as { reason: string; length: number }[],
  lostLength: 0,
} as const;

describe('a gap', () => {
  test.each([
    [{ state: 'waiting' }, 'May only be late'],
    [{ state: 'closed', missing: [] }, 'Closed'],
    [{ missing: [] }, 'Closed'],
    [{ abandoned: true, lastState: 'abandoned' }, 'Asked for no more'],
    [{ lastState: 'accepted' }, 'Being fetched'],
    [{ lastState: 'pending' }, 'About to be requested'],
    [{ lastState: 'pending', lastAnswer: 'not online' }, 'Waiting for the device'],
    [{ lastState: 'expired' }, 'To be requested again'],
    [{ requests: 0 }, 'Found'],
  ] as const)('with %o: %s', (change, text) => expect(gapStateText({ ...gap, ...change })).toBe(text));

  test('says what was heard last', () => {
    expect(gapCause({ ...gap, lastState: 'partly-void' })).toBe('last request partly void');
    expect(gapCause({ ...gap, lastState: 'pending', lastAnswer: 'not online' })).toBe('not online');
    expect(gapCause({ ...gap, requests: 0 })).toBe('no request yet');
    expect(gapCause({ ...gap, state: 'closed', requests: 0 })).toBe('came by itself');
    expect(gapCause({ ...gap, state: 'closed', lastState: 'closed', lastAnswer: 'accepted' })).toBe(
      'fetched',
    );
  });

  test('that ended with a loss says so, with the reason, however its request ended', () => {
    const ended = {
      ...gap,
      state: 'closed',
      missing: [],
      lastState: 'partly-void',
      lastAnswer: 'accepted',
    } as const;
    const whole = { ...ended, lost: [{ reason: 'no-history', length: 15_600 }], lostLength: 15_600 };
    expect([gapStateText(whole), gapCause(whole)]).toEqual(['Lost', 'no history']);
    const part = { ...ended, lost: [{ reason: 'evicted', length: 600 }], lostLength: 600 };
    expect([gapStateText(part), gapCause(part)]).toEqual(['Partly lost', '600 ms evicted']);
    const two = {
      ...whole,
      lost: [
        { reason: 'evicted', length: 5600 },
        { reason: 'waived', length: 10_000 },
      ],
    };
    expect([gapStateText(two), gapCause(two)]).toEqual(['Lost', '5.6 s evicted, 10 s waived']);
  });
});
