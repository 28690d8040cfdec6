// Who may see the status. Readings, names of equipment and the log must not be visible on the network: without a token only
// the gateway itself may see them, whatever address is listened on. Metrics and health are open to all. Pure.
import { createHash, timingSafeEqual } from 'node:crypto';

export interface Asking {
  /** The address that the connection comes from. */
  readonly peer: string | undefined;
  /** The request's `Host`. */
  readonly host: string | undefined;
  readonly authorization: string | undefined;
}

export type Access = 'granted' | 'token-needed' | 'gateway-only';

/** `token`: as configured; undefined where there is none. */
export function accessOf({ peer, host, authorization }: Asking, token: string | undefined): Access {
  if (token !== undefined && authorization !== undefined && isSame(authorization, `Bearer ${token}`))
    return 'granted';
  // A page of somebody else's, open in a browser on the gateway, reaches loopback too, by a name of its own.
  if (isLoopback(peer) && isLoopbackName(host)) return 'granted';
  return token === undefined ? 'gateway-only' : 'token-needed';
}

function isSame(given: string, expected: string): boolean {
  const sum = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(sum(given), sum(expected));
}

function isLoopback(peer: string | undefined): boolean {
  return peer !== undefined && /^(?:::ffff:)?127\.|^::1$/.test(peer);
}

function isLoopbackName(host: string | undefined): boolean {
  return host === undefined || /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i.test(host);
}
