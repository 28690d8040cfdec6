// A connection of the driver library: made, named, and let go of.
//
// The library reconnects by itself, for ever, and repairs sessions and subscriptions on the way, without saying
// what was lost in between. So it is told never to (maxRetry 0): a connection that breaks ends the session, and the
// supervisor begins the next.
import { type Clock, withTimeout } from '../../../kernel/clock.ts';
import { describeError } from '../../../kernel/errors.ts';
import {
  crypto_utils,
  MessageSecurityMode,
  OPCUAClient,
  SecurityPolicy,
  type UserIdentityInfo,
  UserTokenType,
} from './library.ts';
import { sessionOver } from './opcua-errors.ts';
import type { LearnedSizes } from './operation-sizes.ts';
import type { OwnCertificate } from './own-certificate.ts';

export type Identity =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'user'; readonly name: string; readonly password: string }
  | { readonly kind: 'certificate'; readonly certificate: Buffer; readonly key: string };

export interface ConnectOptions {
  readonly own: OwnCertificate;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Longest time without a byte from a server that is well. */
  readonly idleMs: number;
  /** Ends whatever is under way, at once. */
  readonly signal: AbortSignal;
  /** The request sizes that the server accepted in earlier sessions. */
  readonly learned?: LearnedSizes;
}

/** Longest silence of the session's own requests; keep-alives come far more often. */
const sessionTimeoutMs = 120_000;
/** How long a stop waits for the library to close the channel, so that it is prompt where the server does not answer. */
const releaseLimitMs = 150;
const maxMessageBytes = 16 * 1024 * 1024;

export function makeClient(
  { own, timeoutMs, idleMs }: ConnectOptions,
  security: Partial<Parameters<typeof OPCUAClient.create>[0]>,
): OPCUAClient {
  return OPCUAClient.create({
    applicationName: 'Holdfast',
    applicationUri: own.applicationUri,
    clientName: 'Holdfast',
    certificateKeyPairProvider: {
      getCertificate: () => own.certificate,
      getCertificateChain: () => [own.certificate],
      getPrivateKey: () => crypto_utils.makePrivateKeyFromPem(own.key),
    },
    connectionStrategy: { maxRetry: 0, initialDelay: 100, maxDelay: 200 },
    endpointMustExist: false,
    requestedSessionTimeout: sessionTimeoutMs,
    // The library ends a connection that is silent for so long; who is silent for too long is decided elsewhere.
    transportTimeout: idleMs,
    defaultTransactionTimeout: timeoutMs,
    transportSettings: { maxMessageSize: maxMessageBytes, maxChunkCount: 4096 },
    securityMode: MessageSecurityMode.None,
    securityPolicy: SecurityPolicy.None,
    ...security,
  });
}

/** Lets go of the connection, whatever state it is in. Bounded; never rejects. */
export async function release(client: OPCUAClient, clock: Clock): Promise<void> {
  await withTimeout(clock, releaseLimitMs, client.disconnect(), sessionOver).catch(() => {});
  // What the library has not let go of by now it never will.
  const channel = (client as unknown as { _secureChannel?: { forceConnectionBreak(): void } | null })
    ._secureChannel;
  try {
    channel?.forceConnectionBreak();
  } catch {
    // It was gone already.
  }
}

export function identityInfo(identity: Identity): UserIdentityInfo {
  switch (identity.kind) {
    case 'anonymous':
      return { type: UserTokenType.Anonymous };
    case 'user':
      return { type: UserTokenType.UserName, userName: identity.name, password: identity.password };
    case 'certificate':
      return {
        type: UserTokenType.Certificate,
        certificateData: identity.certificate,
        privateKey: identity.key,
      };
  }
}

/** The name of the status in an error's message: the library throws nothing else. */
export function statusIn(error: unknown): string {
  return /\bBad[A-Z][A-Za-z]+/.exec(describeError(error))?.[0] ?? 'BadCommunicationError';
}
