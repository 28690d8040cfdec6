import { describe, expect, test } from 'vitest';
import { gapCause, gapStateText } from './gap-text.ts';

const gap = {
  state: 'open',
  missing: [[0, 1]],
  abandoned: false,
  requests: 1,
  lastState: null,
  lastAnswer: null,
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
  });
});
