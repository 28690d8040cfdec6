import { describe, expect, it } from 'vitest';
import { opcuaSourceSchema } from './config.ts';
import { chooseEndpoint, type OfferedEndpoint } from './endpoint-choice.ts';

const endpoint = (
  mode: OfferedEndpoint['mode'],
  policy: string,
  ...kinds: ('anonymous' | 'user')[]
): OfferedEndpoint => ({
  url: 'opc.tcp://server',
  mode,
  policy,
  certificate: new Uint8Array(),
  tokens: kinds.map((kind) => ({ kind, policy: '' })),
});

const offered = [
  endpoint('None', 'None', 'anonymous'),
  endpoint('Sign', 'Aes256_Sha256_RsaPss', 'anonymous', 'user'),
  endpoint('SignAndEncrypt', 'Basic256', 'anonymous', 'user'),
  endpoint('SignAndEncrypt', 'Basic256Sha256', 'anonymous', 'user'),
  endpoint('SignAndEncrypt', 'Aes128_Sha256_RsaOaep', 'anonymous'),
];

function security(value: object) {
  const source = { type: 'opcua', name: 's', endpoint: 'opc.tcp://server', security: value };
  return opcuaSourceSchema.parse(source).security;
}

describe('the choice of an endpoint', () => {
  it.each([
    [{}, 'anonymous', 'SignAndEncrypt Basic256Sha256'],
    [{ mode: 'Sign' }, 'user', 'Sign Aes256_Sha256_RsaPss'],
    [{ mode: 'None' }, 'anonymous', 'None None'],
    [{ policy: 'Aes128_Sha256_RsaOaep' }, 'anonymous', 'SignAndEncrypt Aes128_Sha256_RsaOaep'],
  ] as const)('%j as %s is %s', (wanted, kind, expected) => {
    const { mode, policy } = chooseEndpoint(offered, security(wanted), kind);
    expect(`${mode} ${policy}`).toBe(expected);
  });

  it('says what the server offers, and what to change', () => {
    const choose = (wanted: object, kind: 'user' | 'certificate') => () =>
      chooseEndpoint(offered, security(wanted), kind);
    expect(choose({ mode: 'None' }, 'user')).toThrow(
      /takes no user names .* change identity.*None \(anonymous\)/,
    );
    expect(choose({ mode: 'Sign', policy: 'Basic256Sha256' }, 'user')).toThrow(
      /no endpoint with security Sign, Basic256Sha256: change security.*Basic256 \(anonymous\/user\)/,
    );
    expect(choose({}, 'certificate')).toThrow(/certificates of users/);
    expect(() => chooseEndpoint([], security({}), 'anonymous')).toThrow(/It offers: nothing/);
  });
});
