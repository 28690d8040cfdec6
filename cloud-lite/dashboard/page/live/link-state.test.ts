import { describe, expect, test } from 'vitest';
import { firstLinkState, type LinkEvent, moodOf, reduceLink } from './link-state.ts';

const after = (...events: LinkEvent[]) => events.reduce(reduceLink, firstLinkState);
const opened: LinkEvent = { kind: 'opened' };
const loaded = (at: number): LinkEvent => ({ kind: 'loaded', at });
const lost = (at: number): LinkEvent => ({ kind: 'lost', at, retryAt: at + 1000 });
const failed = (at: number): LinkEvent => ({ kind: 'failed', at, problem: 'no answer' });

describe('the link', () => {
  test('is live once changes flow and data came', () => {
    expect(moodOf(after(opened))).toBe('starting');
    expect(moodOf(after(loaded(5)))).toBe('starting');
    expect(moodOf(after(loaded(5), opened))).toBe('live');
  });

  test('is away since data last came, however late that is noticed', () => {
    const state = after(opened, loaded(100), lost(900), failed(950));
    expect(state).toMatchObject({ awaySince: 100, retryAt: 1900, problem: 'no answer' });
    expect(moodOf(state)).toBe('away');
  });

  test('is away at once when nothing ever came', () => {
    expect(after(failed(7)).awaySince).toBe(7);
  });

  test('is back when both changes and calls are', () => {
    const broken = [opened, loaded(100), lost(900), failed(950)];
    expect(moodOf(after(...broken, opened))).toBe('away');
    expect(moodOf(after(...broken, loaded(2000)))).toBe('away');
    expect(moodOf(after(...broken, opened, loaded(2000)))).toBe('live');
  });

  test('does not call itself live while it tries', () => {
    expect(moodOf(after(opened, loaded(1), lost(2), { kind: 'connecting' }))).toBe('away');
  });
});
