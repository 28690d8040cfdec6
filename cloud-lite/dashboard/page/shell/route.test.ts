import { describe, expect, test } from 'vitest';
import { choicesOf, routeOf, withChoices } from './route.ts';

describe('an address', () => {
  test.each([
    ['', { page: 'fleet' }],
    ['#/?state=missing', { page: 'fleet' }],
    ['#/streams/12', { page: 'stream', id: 12 }],
    ['#/streams/12?from=1&to=2', { page: 'stream', id: 12 }],
    ['#/streams/12x', { page: 'fleet' }],
    ['#/gateways', { page: 'gateways' }],
    ['#/gateways?tag=site:a', { page: 'gateways' }],
    ['#/gateways/gate%201/holdfast', { page: 'gateway', deviceId: 'gate 1', moduleId: 'holdfast' }],
    ['#/gateways/%/holdfast', { page: 'fleet' }],
  ])('%s leads to its page', (hash, route) => expect(routeOf(hash)).toEqual(route));

  test('keeps what was chosen, and drops what is chosen no more', () => {
    const hash = withChoices('#/', { state: 'lost', search: 'press & co', order: undefined });
    expect(choicesOf(hash).get('search')).toBe('press & co');
    expect(withChoices(hash, { state: undefined, search: '' })).toBe('#/');
    expect(withChoices('#/gateways?tag=a:1', { tag: ['b:2', 'c:3'] })).toBe('#/gateways?tag=b%3A2&tag=c%3A3');
    expect(withChoices('#/gateways?tag=a:1', { tag: [] })).toBe('#/gateways');
    expect(withChoices('', { state: 'late' })).toBe('#/?state=late');
    expect(withChoices('#/streams/3?from=1', { to: '2' })).toBe('#/streams/3?from=1&to=2');
  });
});
