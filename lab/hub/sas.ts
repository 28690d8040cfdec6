// Shared access signatures as IoT Hub and Event Hubs check them:
// `SharedAccessSignature sr=<resource>&sig=<base64>&se=<expiry, epoch seconds>[&skn=<policy>]`,
// where sig = HMAC-SHA256(key, sr exactly as written + "\n" + se).
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface SasToken {
  /** The resource, decoded, lower case, without a scheme or trailing slash: `localhost/devices/d`. */
  readonly resource: string;
  /** `sr` exactly as written: what was signed. */
  readonly signedResource: string;
  readonly signature: string;
  /** UTC epoch milliseconds. */
  readonly expiresAt: number;
  readonly policy: string | undefined;
}

export type SasProblem = 'malformed' | 'expired' | 'wrong signature' | 'wrong resource' | 'unknown identity';

export function parseSasToken(text: unknown): SasToken | undefined {
  const match = typeof text === 'string' ? /^SharedAccessSignature\s+(\S+)$/.exec(text.trim()) : null;
  if (!match) return undefined;
  const fields = new Map<string, string>();
  for (const pair of match[1]!.split('&')) {
    const at = pair.indexOf('=');
    if (at > 0) fields.set(pair.slice(0, at), pair.slice(at + 1));
  }
  const signedResource = fields.get('sr');
  const signature = fields.get('sig');
  const expiry = Number(fields.get('se'));
  if (!signedResource || !signature || !Number.isFinite(expiry)) return undefined;
  try {
    const policy = fields.get('skn');
    return {
      resource: decodeURIComponent(signedResource)
        .toLowerCase()
        .replace(/^\w+:\/\//, '')
        .replace(/\/+$/, ''),
      signedResource,
      signature: decodeURIComponent(signature),
      expiresAt: expiry * 1000,
      policy: policy ? decodeURIComponent(policy) : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Signs as the clients do; `key` is the raw key, decoded from base64 for IoT Hub, as text for Event Hubs. */
export function sign(key: Uint8Array | string, data: string | Uint8Array): string {
  return createHmac('sha256', key).update(data).digest('base64');
}

export function isSignedWith(token: SasToken, key: Uint8Array | string): boolean {
  const expected = Buffer.from(sign(key, `${token.signedResource}\n${token.expiresAt / 1000}`));
  const given = Buffer.from(token.signature);
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/** True when the token's resource is `host[:port]`, or lies below it and covers `path`. */
export function coversResource(token: SasToken, hosts: readonly string[], path: string): boolean {
  const slash = token.resource.indexOf('/');
  const authority = slash < 0 ? token.resource : token.resource.slice(0, slash);
  const scope = slash < 0 ? '' : token.resource.slice(slash);
  const host = authority.replace(/:\d+$/, '');
  const wanted = path.toLowerCase();
  return hosts.includes(host) && (scope === '' || wanted === scope || wanted.startsWith(`${scope}/`));
}
