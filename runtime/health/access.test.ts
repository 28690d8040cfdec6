import { expect, it } from 'vitest';
import { accessOf } from './access.ts';

const token = 'a-token-of-this-gateway';
const local = { peer: '127.0.0.1', host: 'localhost:9600', authorization: undefined };

it.each([
  ['the gateway itself', local, undefined, 'granted'],
  ['the gateway itself, by IPv6', { ...local, peer: '::1', host: '[::1]:9600' }, token, 'granted'],
  ['the gateway itself, mapped', { ...local, peer: '::ffff:127.0.0.1', host: '127.0.0.1' }, token, 'granted'],
  [
    'a page of another name in its browser',
    { ...local, host: 'evil.example:9600' },
    undefined,
    'gateway-only',
  ],
  [
    'a name that begins like its own',
    { ...local, host: '127.0.0.1.evil.example' },
    undefined,
    'gateway-only',
  ],
  ['the network', { ...local, peer: '172.18.0.1' }, undefined, 'gateway-only'],
  ['the network where there is a token', { ...local, peer: '172.18.0.1' }, token, 'token-needed'],
  ['the network with it', { ...local, peer: '10.0.0.9', authorization: `Bearer ${token}` }, token, 'granted'],
  [
    'the network with another',
    { ...local, peer: '10.0.0.9', authorization: 'Bearer x' },
    token,
    'token-needed',
  ],
  [
    'an empty token where none is set',
    { ...local, peer: '10.0.0.9', authorization: 'Bearer ' },
    undefined,
    'gateway-only',
  ],
] as const)('%s', (_, asking, configured, expected) => {
  expect(accessOf(asking, configured)).toBe(expected);
});
