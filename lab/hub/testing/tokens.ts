import { createHmac } from 'node:crypto';

/** A shared access signature, made by hand. `key` is base64, `expiresAt` UTC epoch ms. */
export function handMadeToken(resource: string, key: string, expiresAt: number, policy?: string): string {
  const sr = encodeURIComponent(resource);
  const se = Math.floor(expiresAt / 1000);
  const sig = createHmac('sha256', Buffer.from(key, 'base64')).update(`${sr}\n${se}`).digest('base64');
  const skn = policy === undefined ? '' : `&skn=${policy}`;
  return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(sig)}&se=${se}${skn}`;
}
