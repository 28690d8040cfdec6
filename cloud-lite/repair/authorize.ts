// Who we are to the hub: a shared access policy's key, or an Entra ID identity.
import type { Clock } from '../../kernel/clock.ts';
import type { HubConnection } from './connection-string.ts';
import { makeSasToken } from './sas-token.ts';

/** Gives the value of the Authorization header. Rejects when there is no credential to be had. */
export type Authorize = (signal: AbortSignal) => Promise<string>;

/** The part of @azure/identity's credentials that is needed here. */
export interface TokenCredential {
  getToken(
    scope: string,
    options?: { readonly abortSignal?: AbortSignal },
  ): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>;
}

const lifetimeMs = 3_600_000;
const marginMs = 300_000;
/** https://learn.microsoft.com/azure/iot-hub/authenticate-authorize-azure-ad */
const entraScope = 'https://iothubs.azure.net/.default';

export function authorizeByKey(connection: HubConnection, clock: Clock): Authorize {
  let token = { text: '', expiresAt: 0 };
  return async () => {
    if (token.expiresAt - marginMs < clock.now()) {
      const expiresAt = clock.now() + lifetimeMs;
      token = { text: makeSasToken(connection, expiresAt), expiresAt };
    }
    return token.text;
  };
}

/** The credential keeps its tokens itself, and renews them in time. */
export function authorizeByEntra(credential: TokenCredential): Authorize {
  return async (signal) => {
    const token = await credential.getToken(entraScope, { abortSignal: signal });
    if (token === null) throw new Error('Entra ID gave no token for the IoT hub');
    return `Bearer ${token.token}`;
  };
}
