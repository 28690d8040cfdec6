// Chooses one of a server's endpoints. Pure.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { SecurityConfig } from './config.ts';

export type SecurityMode = 'None' | 'Sign' | 'SignAndEncrypt';
export type TokenKind = 'anonymous' | 'user' | 'certificate';

export interface OfferedEndpoint {
  readonly url: string;
  readonly mode: SecurityMode | 'unknown';
  /** The last part of its URI, as `Basic256Sha256` or `None`. */
  readonly policy: string;
  readonly tokens: readonly { readonly kind: TokenKind | 'other'; readonly policy: string }[];
  /** DER; empty where the server shows none. */
  readonly certificate: Uint8Array;
}

const modeRank = { SignAndEncrypt: 2, Sign: 1, None: 0 } as const;
/** Strongest last. Older policies (Basic128Rsa15, Basic256) are withdrawn: OPC 10000-7, 6.6. */
const policyRank = ['Aes128_Sha256_RsaOaep', 'Basic256Sha256', 'Aes256_Sha256_RsaPss'];

/** @throws HoldfastError `opcua-no-endpoint` that lists what the server offers. */
export function chooseEndpoint<T extends OfferedEndpoint>(
  offered: readonly T[],
  security: SecurityConfig,
  identity: TokenKind,
): T {
  const fitting = offered
    .filter((endpoint) => fits(endpoint, security))
    .sort((a, b) => rankOf(b) - rankOf(a));
  const chosen = fitting.find((endpoint) => endpoint.tokens.some(({ kind }) => kind === identity));
  if (chosen) return chosen;
  const wanted = [security.mode, security.policy].filter((part) => part !== undefined).join(', ');
  const problem =
    fitting.length > 0
      ? `takes no ${describeToken[identity]} on any endpoint with security ${wanted}: change identity`
      : `has no endpoint with security ${wanted}: change security.mode or security.policy`;
  throw new HoldfastError('opcua-no-endpoint', `the server ${problem}. It offers: ${listOf(offered)}`, {
    retryable: true,
  });
}

const describeToken = {
  anonymous: 'anonymous users',
  user: 'user names',
  certificate: 'certificates of users',
} as const;

function fits({ mode, policy }: OfferedEndpoint, security: SecurityConfig): boolean {
  if (mode === 'unknown') return false;
  if (security.mode !== 'best' && mode !== security.mode) return false;
  if (mode === 'None') return policy === 'None' && security.policy === undefined;
  return security.policy === undefined ? policyRank.includes(policy) : policy === security.policy;
}

function rankOf({ mode, policy }: OfferedEndpoint): number {
  return mode === 'unknown' ? -1 : modeRank[mode] * 10 + policyRank.indexOf(policy);
}

function listOf(offered: readonly OfferedEndpoint[]): string {
  if (offered.length === 0) return 'nothing';
  const lines = offered.map(({ mode, policy, tokens }) => {
    const kinds = [...new Set(tokens.map(({ kind }) => kind))].join('/');
    return mode === 'None' ? `None (${kinds})` : `${mode} ${policy} (${kinds})`;
  });
  return [...new Set(lines)].slice(0, 20).join(', ');
}
