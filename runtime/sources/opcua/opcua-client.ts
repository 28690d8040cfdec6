// Connects to a server by its address, with the driver library: lists its endpoints, and opens a session at one.
import { withTimeout } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import {
  type ConnectOptions,
  type Identity,
  identityInfo,
  makeClient,
  release,
  statusIn,
} from './client-channel.ts';
import { ClientSession, type LibrarySession } from './client-session.ts';
import type { OfferedEndpoint, SecurityMode, TokenKind } from './endpoint-choice.ts';
import {
  crypto_utils,
  type EndpointDescription,
  MessageSecurityMode,
  type OPCUAClient,
  SecurityPolicy,
  UserTokenType,
} from './library.ts';
import { OpcuaServiceError, timedOut, unreachable } from './opcua-errors.ts';
import type { OpcuaSession } from './opcua-session.ts';
import type { OwnCertificate } from './own-certificate.ts';
import { unlessAborted } from './unless-aborted.ts';

const policyPrefix = 'http://opcfoundation.org/UA/SecurityPolicy#';

/**
 * The endpoints that the server at `url` has; with `applicationUri`, those of that server, which the one at `url` may
 * only know of. @throws HoldfastError
 */
export async function findEndpoints(
  url: string,
  applicationUri: string | undefined,
  options: ConnectOptions,
): Promise<readonly OfferedEndpoint[]> {
  const here = await withDiscovery(url, options, (client) => client.getEndpoints({ endpointUrl: url }));
  // Reached by the address that was given, whatever the server believes its own name to be.
  if (applicationUri === undefined) return here.map((endpoint) => toOffered(endpoint, url));
  const own = here.filter(({ server }) => server.applicationUri === applicationUri);
  if (own.length > 0) return own.map((endpoint) => toOffered(endpoint, url));
  const servers = await withDiscovery(url, options, (client) => client.findServers({ endpointUrl: url }));
  const server = servers.find((each) => each.applicationUri === applicationUri);
  const next = server?.discoveryUrls?.find((each) => each?.startsWith('opc.tcp:'));
  if (!next)
    throw noServer(
      url,
      applicationUri,
      servers.map((each) => each.applicationUri ?? ''),
    );
  const there = await withDiscovery(next, options, (client) => client.getEndpoints({ endpointUrl: next }));
  return there.map((endpoint) => toOffered(endpoint, endpoint.endpointUrl ?? next));
}

function noServer(url: string, applicationUri: string, known: readonly string[]): HoldfastError {
  const list = [...new Set(known)].slice(0, 20).join(', ') || 'none';
  return new HoldfastError(
    'opcua-no-endpoint',
    `${url} knows no server '${applicationUri}': correct applicationUri, or leave it out. It knows: ${list}`,
    { retryable: true },
  );
}

async function withDiscovery<T>(
  url: string,
  options: ConnectOptions,
  work: (client: OPCUAClient) => Promise<T>,
): Promise<T> {
  const { clock, timeoutMs, signal } = options;
  const client = makeClient(options, {});
  try {
    const found = client.connect(url).then(() => work(client));
    return await unlessAborted(
      withTimeout(clock, timeoutMs, found, () => timedOut(`a search for endpoints at ${url}`, timeoutMs)),
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    throw faultOf(url, 'a search for endpoints', error) ?? unreachable(url, error);
  } finally {
    await release(client, clock);
  }
}

function toOffered(endpoint: EndpointDescription, url: string): OfferedEndpoint {
  const policyOf = (uri: string | null) => (uri ?? '').replace(policyPrefix, '');
  return {
    url,
    mode: (MessageSecurityMode[endpoint.securityMode] as SecurityMode | undefined) ?? 'unknown',
    policy: policyOf(endpoint.securityPolicyUri),
    certificate: endpoint.serverCertificate ?? new Uint8Array(),
    tokens: (endpoint.userIdentityTokens ?? []).map(({ tokenType, securityPolicyUri }) => ({
      kind: tokenKinds[tokenType] ?? 'other',
      policy: policyOf(securityPolicyUri),
    })),
  };
}

const tokenKinds: Readonly<Record<number, TokenKind>> = {
  [UserTokenType.Anonymous]: 'anonymous',
  [UserTokenType.UserName]: 'user',
  [UserTokenType.Certificate]: 'certificate',
};

/** @throws HoldfastError `opcua-unreachable`, `opcua-identity-refused`, `opcua-certificate-refused`, `opcua-timeout` */
export async function openSession(
  endpoint: OfferedEndpoint,
  identity: Identity,
  options: ConnectOptions,
): Promise<OpcuaSession> {
  const { clock, timeoutMs, signal } = options;
  const client = makeClient(options, {
    securityMode: MessageSecurityMode[endpoint.mode as SecurityMode],
    securityPolicy: SecurityPolicy[endpoint.policy as keyof typeof SecurityPolicy],
    ...(endpoint.mode !== 'None' && { serverCertificate: firstOf(endpoint.certificate) }),
  });
  try {
    const opening = client.connect(endpoint.url).then(() => client.createSession(identityInfo(identity)));
    const session = await unlessAborted(
      withTimeout(clock, timeoutMs, opening, () => timedOut(`a session at ${endpoint.url}`, timeoutMs)),
      signal,
    );
    const opened = new ClientSession(client, session as unknown as LibrarySession, endpoint, options);
    await opened.learn();
    return opened;
  } catch (error) {
    void release(client, clock);
    signal.throwIfAborted();
    throw openingFailed(endpoint, identity, options.own, error);
  }
}

function openingFailed(
  endpoint: OfferedEndpoint,
  identity: Identity,
  own: OwnCertificate,
  error: unknown,
): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { url } = endpoint;
  const status = statusIn(error);
  const refused = (code: string, message: string) =>
    new HoldfastError(code, message, { retryable: true, cause: error });
  if (/^BadIdentityToken|^BadUser/.test(status)) {
    const who =
      identity.kind === 'user' ? `user '${identity.name}' and password` : `this identity (${identity.kind})`;
    return refused(
      'opcua-identity-refused',
      `the server refuses ${who}: ${status}. Change identity, or the server's users`,
    );
  }
  const certificate = own.file ?? 'its certificate';
  if (/^BadCertificate|^BadSecurityChecksFailed/.test(status)) {
    return refused(
      'opcua-certificate-refused',
      `the server does not trust this gateway (${status}): trust ${certificate} on the server`,
    );
  }
  if (status === 'BadTooManySessions' || status === 'BadTcpNotEnoughResources')
    return refused('opcua-refused', `the server has no room for another session: ${status}`);
  // It was there: it listed its endpoints, took this connection, and then ended it.
  if (!wasEnded(error)) return faultOf(url, 'a session', error) ?? unreachable(url, error);
  if (endpoint.mode === 'None')
    return refused(
      'opcua-refused',
      `the server at ${url} takes connections, and ends this one without a word`,
    );
  return refused(
    'opcua-certificate-refused',
    `the server at ${url} answers, but ends the connection when this gateway shows its certificate (${endpoint.mode}, ${endpoint.policy}): most likely it does not trust it. Trust ${certificate} on the server; its log says more`,
  );
}

/** A server answered, though with a fault: it is there. Undefined where nothing answered. */
function faultOf(url: string, what: string, error: unknown): HoldfastError | undefined {
  const [status] = /\bBad[A-Z]\w+/.exec(`${statusIn(error)} ${describeError(error)}`) ?? [];
  if (status === undefined || noAnswers.has(status)) return undefined;
  return new OpcuaServiceError(
    'opcua-refused',
    `the server at ${url} refused ${what}: ${status}`,
    status,
    error,
  );
}

/** The library's own texts for a missing answer. */
const noAnswers: ReadonlySet<string> = new Set([
  'BadTimeout',
  'BadCommunicationError',
  'BadConnectionClosed',
  'BadConnectionRejected',
  'BadNoCommunication',
  'BadSecureChannelClosed',
  'BadServerNotConnected',
  'BadUnexpectedError',
  'BadInternalError',
]);

/** The server accepted the connection and closed it, sometimes with a reason that the library does not pass on. */
function wasEnded(error: unknown): boolean {
  const message = describeError(error);
  if (/ECONNREFUSED|EHOST|ENET|ENOTFOUND|EAI_|ETIMEDOUT/.test(message)) return false;
  return /rejected by server|disconnected by third party|Connection Break|ECONNRESET|EPIPE/i.test(message);
}

/** Of a chain, the server's own. */
function firstOf(chain: Uint8Array): Buffer {
  return crypto_utils.split_der(Buffer.from(chain))[0] ?? Buffer.from(chain);
}
