import { describe, expect, test } from 'vitest';
import { choicesOf, routeOf, withChoices } from './route.ts';

describe('an address', () => {
  test.each([
    ['', { page: 'fleet' }],
    ['#/?state=missing', { page: 'fleet' }],
    ['#/streams/12', { page: 'stream', id: 12 }],
    ['#/streams/12?from=1&to=2', { page: 'stream', id: 12 }],
    ['#/streams/12x', { page: 'fleet' }],
  ])('%s leads to its page', (hash, route) => expect(routeOf(hash)).toEqual(route));

  test('keeps what was chosen, and drops what is chosen no more', () => {
    const hash = withChoices('#/', { state: 'lost', search: 'press & co', order: undefined });
    expect(choicesOf(hash).get('search')).toBe('press & co');
    expect(withChoices(hash, { state: undefined, search: '' })).toBe('#/');
    expect(withChoices('', { state: 'late' })).toBe('#/?state=late');
    expect(withChoices('#/streams/3?from=1', { to: '2' })).toBe('#/streams/3?from=1&to=2');
  });
});
