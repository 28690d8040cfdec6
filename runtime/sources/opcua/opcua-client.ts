// One session with one OPC UA server: the only file that knows node-opcua-client.
//
// The library reconnects by itself, for ever, and repairs sessions and subscriptions on the way, without saying
// what was lost in between. So it is told never to (maxRetry 0): a connection that breaks ends the session, and the
// supervisor begins the next. Its subscription objects are not used either: they hide sequence numbers and
// keep-alives, which are what tells observed from unobserved. Each request has a limit of our own, since some of the
// library's wait for ever on a socket that is half open.
import {
  AttributeIds,
  BrowseNextRequest,
  BrowseRequest,
  CreateMonitoredItemsRequest,
  CreateSubscriptionRequest,
  coerceNodeId,
  crypto_utils,
  DataChangeFilter,
  DataChangeTrigger,
  DataValue,
  DeadbandType,
  type EndpointDescription,
  HistoryReadRequest,
  MessageSecurityMode,
  NodeClass,
  OPCUAClient,
  PublishRequest,
  promoteOpaqueStructure,
  ReadRawModifiedDetails,
  ReadRequest,
  RepublishRequest,
  SecurityPolicy,
  setDebugLogger,
  setErrorLogger,
  setWarningLogger,
  TimestampsToReturn,
  TranslateBrowsePathsToNodeIdsRequest,
  type UserIdentityInfo,
  UserTokenType,
  Variant,
  WriteRequest,
} from 'node-opcua-client';
import { type Clock, withTimeout } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import { chunk } from './chunk.ts';
import type { OfferedEndpoint, SecurityMode, TokenKind } from './endpoint-choice.ts';
import { connectionLost, serviceFailed, sessionOver, timedOut, unreachable } from './opcua-errors.ts';
import type {
  Acknowledgement,
  Browsed,
  HistoryNode,
  HistoryRequest,
  HistoryResult,
  ItemRequest,
  ItemResult,
  OpcuaSession,
  OperationLimits,
  Published,
  Subscription,
  SubscriptionRequest,
  WireStatus,
  WireValue,
  WireVariant,
} from './opcua-session.ts';
import type { MadeCertificate, OwnCertificate } from './own-certificate.ts';
import { unlessAborted } from './unless-aborted.ts';

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
}

const policyPrefix = 'http://opcfoundation.org/UA/SecurityPolicy#';
const objectsFolder = 'i=85';
const hierarchicalReferences = 'i=33';
const hasProperty = 'ns=0;i=46';
const serverCurrentTime = 'i=2258';
const namespaceArray = 'i=2255';
/** Longest silence of the session's own requests; keep-alives come far more often. */
const sessionTimeoutMs = 120_000;
/** CertificatePurpose of the library, which does not export it. */
const forApplication = 2;
/** A stop is prompt also where nobody answers: so long for a server to say goodbye, and for the library. */
const closeLimitMs = 300;
const releaseLimitMs = 150;
const maxMessageBytes = 16 * 1024 * 1024;
/** References of one node, and answers that they may be spread over. */
const maxReferences = 20_000;
const maxBrowseRounds = 200;

/** OPC 10000-5, 6.3.11, by the numbers of OPC 10000-6, annex A. */
const limitNodes = {
  nodesPerRead: 'i=11705',
  nodesPerWrite: 'i=11707',
  nodesPerBrowse: 'i=11710',
  nodesPerTranslate: 'i=11712',
  itemsPerCall: 'i=11714',
  nodesPerHistoryRead: 'i=12165',
  historyContinuationPoints: 'i=2737',
} as const satisfies Record<keyof OperationLimits, string>;

// The library writes to the console otherwise: standard output belongs to the module's log.
for (const mute of [setDebugLogger, setErrorLogger, setWarningLogger]) mute(() => {});

/** Makes a self-signed application certificate. OPC 10000-6, 6.2.2 says what it must hold. */
export async function makeCertificate(
  applicationUri: string,
  host: string,
  now: number,
): Promise<MadeCertificate> {
  const { privateKey } = await crypto_utils.generateKeyPair(2048);
  const { privPem } = await crypto_utils.privateKeyToPEM(privateKey);
  const dayMs = 86_400_000;
  // A clock that has lost its time must not make a certificate that is not valid yet when it comes right.
  const from = Math.min(now, Date.UTC(2025, 0, 1));
  const { cert } = await crypto_utils.createSelfSignedCertificate({
    privateKey,
    subject: `/CN=Holdfast ${host}/O=Holdfast`,
    dns: [host],
    applicationUri,
    notBefore: new Date(from),
    notAfter: new Date(Math.max(now, from) + 20 * 365 * dayMs),
    purpose: forApplication,
  });
  return { certificate: cert, key: privPem };
}

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
    throw unreachable(url, error);
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
  { url }: OfferedEndpoint,
  identity: Identity,
  own: OwnCertificate,
  error: unknown,
): HoldfastError {
  if (error instanceof HoldfastError) return error;
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
  if (/^BadCertificate|^BadSecurityChecksFailed/.test(status)) {
    return refused(
      'opcua-certificate-refused',
      `the server does not trust this gateway (${status}): trust ${own.file ?? 'its certificate'} on the server`,
    );
  }
  if (status === 'BadTooManySessions' || status === 'BadTcpNotEnoughResources')
    return refused('opcua-refused', `the server has no room for another session: ${status}`);
  return unreachable(url, error);
}

interface LibrarySession {
  performMessageTransaction(
    request: object,
    callback: (error: Error | null, response?: LibraryResponse) => void,
  ): void;
  close(deleteSubscriptions: boolean): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: each service answers with a class of its own.
type LibraryResponse = any;

class ClientSession implements OpcuaSession {
  readonly security: string;
  readonly lost: AbortSignal;
  limits: OperationLimits = noLimits;
  namespaces: readonly string[] = [];
  readonly #client: OPCUAClient;
  readonly #session: LibrarySession;
  readonly #options: ConnectOptions;
  readonly #end = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(
    client: OPCUAClient,
    session: LibrarySession,
    endpoint: OfferedEndpoint,
    options: ConnectOptions,
  ) {
    this.#client = client;
    this.#session = session;
    this.#options = options;
    this.lost = this.#end.signal;
    this.security = endpoint.mode === 'None' ? 'None' : `${endpoint.mode}, ${endpoint.policy}`;
    client.on('close', (error) => this.#end.abort(connectionLost(endpoint.url, error ?? undefined)));
    client.on('connection_lost', () => this.#end.abort(connectionLost(endpoint.url)));
  }

  /** What the server says of itself. Servers without it have no limits that we know of. */
  async learn(): Promise<void> {
    // How many values one request may ask for comes first, alone: the rest would be refused whole.
    const [most] = await this.read([limitNodes.nodesPerRead]);
    this.limits = { ...noLimits, nodesPerRead: numberIn(most) };
    const names = Object.keys(limitNodes) as (keyof OperationLimits)[];
    const [uris, ...limits] = await this.read([namespaceArray, ...names.map((name) => limitNodes[name])]);
    const numbers = names.map((name, at) => [name, numberIn(limits[at])] as const);
    this.limits = { ...noLimits, ...Object.fromEntries(numbers) };
    const found = uris?.value?.value;
    this.namespaces = Array.isArray(found) ? found.map(String) : [];
  }

  async serverTime(): Promise<number> {
    const [value] = await this.read([serverCurrentTime]);
    const time = value?.value?.value;
    return time instanceof Date
      ? time.getTime()
      : (value?.serverTimestamp?.getTime() ?? this.#options.clock.now());
  }

  async read(
    nodeIds: readonly string[],
    attribute: number = AttributeIds.Value,
  ): Promise<readonly WireValue[]> {
    const values: WireValue[] = [];
    for (const part of chunk(nodeIds, this.limits.nodesPerRead)) {
      const nodesToRead = part.map((nodeId) => ({ nodeId: coerceNodeId(nodeId), attributeId: attribute }));
      const request = new ReadRequest({ nodesToRead, timestampsToReturn: TimestampsToReturn.Both });
      const { results } = await this.#request('reading values', request);
      values.push(...(await this.#resolve(counted(results, part.length, 'reading values'))));
    }
    return values;
  }

  async browse(nodeIds: readonly string[]): Promise<readonly Browsed[]> {
    const found: Browsed[] = [];
    for (const part of chunk(nodeIds, this.limits.nodesPerBrowse)) {
      const nodesToBrowse = part.map((nodeId) => ({
        nodeId: coerceNodeId(nodeId),
        browseDirection: 0,
        referenceTypeId: coerceNodeId(hierarchicalReferences),
        includeSubtypes: true,
        nodeClassMask: NodeClass.Object | NodeClass.Variable,
        // Reference type, is forward, node class, browse name.
        resultMask: 0b1111,
      }));
      const request = new BrowseRequest({ nodesToBrowse, requestedMaxReferencesPerNode: 1000 });
      const { results } = await this.#request('browsing', request);
      for (const result of counted(results, part.length, 'browsing'))
        found.push(await this.#browseRest(result));
    }
    return found;
  }

  async #browseRest(first: LibraryResponse): Promise<Browsed> {
    const references = [...(first.references ?? [])];
    let { continuationPoint } = first;
    for (let round = 0; hasBytes(continuationPoint); round++) {
      const releaseContinuationPoints = references.length >= maxReferences || round >= maxBrowseRounds;
      const request = new BrowseNextRequest({
        releaseContinuationPoints,
        continuationPoints: [continuationPoint],
      });
      const { results } = await this.#request('browsing on', request);
      if (releaseContinuationPoints) break;
      references.push(...(results?.[0]?.references ?? []));
      continuationPoint = results?.[0]?.continuationPoint;
    }
    return { status: first.statusCode, references: references.map(toReference) };
  }

  async translate(paths: readonly string[]): Promise<readonly (string | WireStatus)[]> {
    const found: (string | WireStatus)[] = [];
    for (const part of chunk(paths, this.limits.nodesPerTranslate)) {
      const browsePaths = part.map((path) => ({
        startingNode: coerceNodeId(objectsFolder),
        relativePath: { elements: pathElements(path) },
      }));
      const request = new TranslateBrowsePathsToNodeIdsRequest({ browsePaths });
      const { results } = await this.#request('finding browse paths', request);
      for (const { statusCode, targets } of counted(results, part.length, 'finding browse paths')) {
        const target = targets?.find((each: LibraryResponse) => each.remainingPathIndex === 0xffff_ffff);
        found.push(target ? String(target.targetId) : statusCode.value === 0 ? noMatch : statusCode);
      }
    }
    return found;
  }

  async subscribe(request: SubscriptionRequest): Promise<Subscription> {
    const response = await this.#request(
      'a subscription',
      new CreateSubscriptionRequest({
        requestedPublishingInterval: request.publishMs,
        requestedMaxKeepAliveCount: request.keepAliveCount,
        requestedLifetimeCount: request.lifetimeCount,
        maxNotificationsPerPublish: request.maxNotifications,
        publishingEnabled: true,
      }),
    );
    return {
      id: response.subscriptionId,
      publishMs: response.revisedPublishingInterval,
      keepAliveCount: response.revisedMaxKeepAliveCount,
    };
  }

  async monitor(subscriptionId: number, items: readonly ItemRequest[]): Promise<readonly ItemResult[]> {
    const results: ItemResult[] = [];
    for (const part of chunk(items, this.limits.itemsPerCall)) {
      const request = new CreateMonitoredItemsRequest({
        subscriptionId,
        timestampsToReturn: TimestampsToReturn.Both,
        itemsToCreate: part.map(toItem),
      });
      const response = await this.#request('monitored items', request);
      for (const result of counted(response.results, part.length, 'monitored items')) {
        results.push({
          status: result.statusCode,
          itemId: result.monitoredItemId,
          samplingMs: result.revisedSamplingInterval,
          queueSize: result.revisedQueueSize,
        });
      }
    }
    return results;
  }

  async publish(acknowledge: readonly Acknowledgement[], limitMs: number): Promise<Published> {
    const subscriptionAcknowledgements = acknowledge.map(({ subscriptionId, sequence }) => ({
      subscriptionId,
      sequenceNumber: sequence,
    }));
    const request = new PublishRequest({ subscriptionAcknowledgements });
    return this.#toPublished(await this.#request('a message', request, limitMs));
  }

  async republish(subscriptionId: number, sequence: number): Promise<Published> {
    const request = new RepublishRequest({ subscriptionId, retransmitSequenceNumber: sequence });
    const response = await this.#request(`message ${sequence} again`, request);
    return this.#toPublished({ ...response, responseHeader: response.responseHeader, subscriptionId });
  }

  async #toPublished(response: LibraryResponse): Promise<Published> {
    const { notificationMessage: message, responseHeader } = response;
    const items: { clientHandle: number; value: WireValue }[] = [];
    let ended: WireStatus | undefined;
    const notifications = message.notificationData ?? [];
    for (const data of notifications) {
      if (data?.monitoredItems) for (const item of data.monitoredItems) items.push(item);
      else if (data?.status?.value) ended = data.status;
    }
    await this.#resolve(items.map(({ value }) => value));
    return {
      subscriptionId: response.subscriptionId,
      sequence: message.sequenceNumber,
      publishedAt:
        timeOf(message.publishTime) ?? timeOf(responseHeader.timestamp) ?? this.#options.clock.now(),
      more: response.moreNotifications === true,
      values: items.map(({ clientHandle, value }) => ({ handle: clientHandle, value })),
      isKeepAlive: notifications.length === 0,
      ...(ended && { ended }),
    };
  }

  async historyRead(request: HistoryRequest): Promise<readonly HistoryResult[]> {
    const historyReadDetails = new ReadRawModifiedDetails({
      isReadModified: false,
      startTime: new Date(request.start),
      endTime: new Date(request.end),
      numValuesPerNode: request.valuesPerNode,
      returnBounds: false,
    });
    const response = await this.#request('history', historyRequest(request.nodes, { historyReadDetails }));
    const results: LibraryResponse[] = counted(response.results, request.nodes.length, 'history');
    const read = results.map(({ statusCode, historyData, continuationPoint }) => ({
      status: statusCode as WireStatus,
      values: (historyData?.dataValues ?? []) as WireValue[],
      ...(hasBytes(continuationPoint) && { continuation: continuationPoint }),
    }));
    for (const { values } of read) await this.#resolve(values);
    return read;
  }

  async historyRelease(nodes: readonly HistoryNode[]): Promise<void> {
    const historyReadDetails = new ReadRawModifiedDetails({ isReadModified: false });
    const request = historyRequest(nodes, { historyReadDetails, releaseContinuationPoints: true });
    await this.#request('the release of history', request);
  }

  async write(nodeId: string, value: WireVariant): Promise<WireStatus> {
    const variant = new Variant(value as ConstructorParameters<typeof Variant>[0]);
    const nodesToWrite = [
      {
        nodeId: coerceNodeId(nodeId),
        attributeId: AttributeIds.Value,
        value: new DataValue({ value: variant }),
      },
    ];
    const { results } = await this.#request('a write', new WriteRequest({ nodesToWrite }));
    return counted(results, 1, 'a write')[0];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const isOpen = !this.lost.aborted;
    this.#end.abort(sessionOver());
    const { clock } = this.#options;
    // Politely first: servers hold a session, and its place among few, until it times out.
    if (isOpen)
      await withTimeout(clock, closeLimitMs, this.#session.close(true), sessionOver).catch(() => {});
    await release(this.#client, clock);
  }

  /** Structures of the server's own types are decoded once their definitions are known, which may need questions. */
  async #resolve<T extends WireValue>(values: readonly T[]): Promise<readonly T[]> {
    if (!hasStructure(values)) return values;
    const open = values.filter(({ value }) => value?.dataType === extensionObject);
    type Args = Parameters<typeof promoteOpaqueStructure>;
    const work = promoteOpaqueStructure(this.#session as unknown as Args[0], open as unknown as Args[1]);
    const { clock, timeoutMs } = this.#options;
    // One that stays unknown is reported as such: it is no reason to miss the others.
    await withTimeout(clock, timeoutMs, work, () => timedOut('types of structures', timeoutMs)).catch(
      () => {},
    );
    return values;
  }

  async #request(what: string, request: object, limitMs = this.#options.timeoutMs): Promise<LibraryResponse> {
    this.lost.throwIfAborted();
    const { clock } = this.#options;
    (request as LibraryResponse).requestHeader.timeoutHint = Math.ceil(limitMs);
    const answer = new Promise<LibraryResponse>((resolve, reject) => {
      this.#session.performMessageTransaction(request, (error, response) => {
        if (error) reject(serviceFailed(what, statusIn(error), error));
        else resolve(response);
      });
    });
    // The library's own limit first, so that it forgets the request; ours where it does not come.
    return unlessAborted(
      withTimeout(clock, limitMs + 500, answer, () => timedOut(what, limitMs)),
      this.lost,
    ).catch((error: unknown) => {
      this.lost.throwIfAborted();
      if (
        /timed? ?out/i.test(describeError(error)) &&
        !(error instanceof HoldfastError && error.code === 'opcua-timeout')
      )
        throw timedOut(what, limitMs);
      throw error;
    });
  }
}

const extensionObject = 22;
const noMatch: WireStatus = { value: 0x806f_0000, name: 'BadNoMatch' };
const noLimits: OperationLimits = {
  nodesPerRead: 0,
  nodesPerWrite: 0,
  nodesPerBrowse: 0,
  nodesPerTranslate: 0,
  itemsPerCall: 0,
  nodesPerHistoryRead: 0,
  historyContinuationPoints: 0,
};

function makeClient(
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
async function release(client: OPCUAClient, clock: Clock): Promise<void> {
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

function identityInfo(identity: Identity): UserIdentityInfo {
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
function statusIn(error: unknown): string {
  return /\bBad[A-Z][A-Za-z]+/.exec(describeError(error))?.[0] ?? 'BadCommunicationError';
}

function toItem({ nodeId, handle, samplingMs, queueSize, ...rest }: ItemRequest) {
  return {
    itemToMonitor: { nodeId: coerceNodeId(nodeId), attributeId: AttributeIds.Value },
    monitoringMode: 2,
    requestedParameters: {
      clientHandle: handle,
      samplingInterval: samplingMs,
      queueSize,
      discardOldest: true,
      filter: filterOf(rest),
    },
  };
}

/** None where the default of the specification does: some small servers know no filters. */
function filterOf({ trigger, deadband }: Pick<ItemRequest, 'trigger' | 'deadband'>): DataChangeFilter | null {
  if (trigger === 'timestamp')
    return new DataChangeFilter({ trigger: DataChangeTrigger.StatusValueTimestamp });
  if (deadband === undefined) return null;
  return new DataChangeFilter({
    trigger: DataChangeTrigger.StatusValue,
    deadbandType: deadband.kind === 'percent' ? DeadbandType.Percent : DeadbandType.Absolute,
    deadbandValue: deadband.value,
  });
}

/** Without an allocation: most answers have none, and thousands of values. */
function hasStructure(values: readonly WireValue[]): boolean {
  for (const { value } of values) if (value?.dataType === extensionObject) return true;
  return false;
}

function historyRequest(nodes: readonly HistoryNode[], fields: object): HistoryReadRequest {
  return new HistoryReadRequest({
    timestampsToReturn: TimestampsToReturn.Both,
    releaseContinuationPoints: false,
    nodesToRead: nodes.map(({ nodeId, continuation }) => ({
      nodeId: coerceNodeId(nodeId),
      ...(continuation && { continuationPoint: Buffer.from(continuation) }),
    })),
    ...fields,
  });
}

function pathElements(path: string) {
  return path
    .replace(/^\//, '')
    .split('/')
    .map((part) => {
      const [, namespace = '0', name] = /^(?:(\d+):)?(.*)$/s.exec(part)!;
      return {
        referenceTypeId: coerceNodeId(hierarchicalReferences),
        isInverse: false,
        includeSubtypes: true,
        targetName: { namespaceIndex: Number(namespace), name: name ?? '' },
      };
    });
}

function toReference({ nodeId, browseName, nodeClass, referenceTypeId }: LibraryResponse) {
  return {
    nodeId: String(nodeId),
    browseName: `${browseName?.namespaceIndex ?? 0}:${browseName?.name ?? ''}`,
    isVariable: nodeClass === NodeClass.Variable,
    isObject: nodeClass === NodeClass.Object,
    isProperty: String(referenceTypeId) === hasProperty,
  };
}

/** An answer that leaves out, or adds, cannot be told apart from one that mixes up. */
function counted(results: LibraryResponse, count: number, what: string): LibraryResponse {
  if (Array.isArray(results) && results.length === count) return results;
  throw serviceFailed(what, 'BadUnexpectedError');
}

function numberIn(value: WireValue | undefined): number {
  const found = value?.value?.value;
  return typeof found === 'number' && found > 0 ? found : 0;
}

function hasBytes(bytes: unknown): bytes is Buffer {
  return bytes instanceof Uint8Array && bytes.length > 0;
}

/** OPC 10000-6, 5.2.2.5: a date before 1601-01-02 stands for none. */
function timeOf(date: Date | null | undefined): number | undefined {
  const time = date?.getTime();
  return time === undefined || Number.isNaN(time) || time < -11_644_387_200_000 ? undefined : time;
}

/** Of a chain, the server's own. */
function firstOf(chain: Uint8Array): Buffer {
  return crypto_utils.split_der(Buffer.from(chain))[0] ?? Buffer.from(chain);
}
