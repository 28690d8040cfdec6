// One session with one OPC UA server, by the services of OPC 10000-4.
//
// The library's subscription objects are not used: they hide sequence numbers and keep-alives, which are what tells
// observed from unobserved. Each request has a limit of our own, since some of the library's wait for ever on a socket
// that is half open.
import { withTimeout } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import { browse, readValues, translate } from './client-address-space.ts';
import { type ConnectOptions, release, statusIn } from './client-channel.ts';
import {
  type Ask,
  counted,
  extensionObject,
  hasBytes,
  hasStructure,
  historyRequest,
  type LibraryResponse,
  numberIn,
  timeOf,
  toItem,
} from './client-requests.ts';
import type { OfferedEndpoint } from './endpoint-choice.ts';
import {
  AttributeIds,
  CreateMonitoredItemsRequest,
  CreateSubscriptionRequest,
  coerceNodeId,
  DataValue,
  DeleteSubscriptionsRequest,
  type OPCUAClient,
  PublishRequest,
  promoteOpaqueStructure,
  ReadRawModifiedDetails,
  RepublishRequest,
  TimestampsToReturn,
  Variant,
  WriteRequest,
} from './library.ts';
import { connectionLost, serviceFailed, sessionOver, timedOut } from './opcua-errors.ts';
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
import { noLimits, OperationSizes } from './operation-sizes.ts';
import { badStatus } from './quality.ts';
import { unlessAborted } from './unless-aborted.ts';

const serverCurrentTime = 'i=2258';
const namespaceArray = 'i=2255';
/** How long a stop waits for the server to close the session, so that it is prompt where the server does not answer. */
const closeLimitMs = 300;

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

export interface LibrarySession {
  performMessageTransaction(
    request: object,
    callback: (error: Error | null, response?: LibraryResponse) => void,
  ): void;
  close(deleteSubscriptions: boolean): Promise<void>;
}

export class ClientSession implements OpcuaSession {
  readonly security: string;
  readonly lost: AbortSignal;
  namespaces: readonly string[] = [];
  readonly #client: OPCUAClient;
  readonly #session: LibrarySession;
  readonly #options: ConnectOptions;
  readonly #sizes: OperationSizes;
  readonly #end = new AbortController();
  readonly #ask: Ask = (what, request, limitMs) => this.#request(what, request, limitMs);
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
    this.#sizes = new OperationSizes(options.learned);
    this.lost = this.#end.signal;
    this.security = endpoint.mode === 'None' ? 'None' : `${endpoint.mode}, ${endpoint.policy}`;
    client.on('close', (error) => this.#end.abort(connectionLost(endpoint.url, error ?? undefined)));
    client.on('connection_lost', () => this.#end.abort(connectionLost(endpoint.url)));
  }

  get limits(): OperationLimits {
    return this.#sizes.limits;
  }

  /** Reads the limits that the server states. Servers without them have no known limits. */
  async learn(): Promise<void> {
    // How many values one request may ask for comes first, alone: the rest would be refused whole.
    const [most] = await this.read([limitNodes.nodesPerRead]);
    this.#sizes.stated = { ...noLimits, nodesPerRead: numberIn(most) };
    const names = Object.keys(limitNodes) as (keyof OperationLimits)[];
    const [uris, ...limits] = await this.read([namespaceArray, ...names.map((name) => limitNodes[name])]);
    const numbers = names.map((name, at) => [name, numberIn(limits[at])] as const);
    this.#sizes.stated = { ...noLimits, ...Object.fromEntries(numbers) };
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

  async read(nodeIds: readonly string[], attribute?: number): Promise<readonly WireValue[]> {
    return this.#resolve(await readValues(this.#ask, this.#sizes, nodeIds, attribute));
  }

  browse(nodeIds: readonly string[]): Promise<readonly Browsed[]> {
    return browse(this.#ask, this.#sizes, nodeIds);
  }

  translate(paths: readonly string[]): Promise<readonly (string | WireStatus)[]> {
    return translate(this.#ask, this.#sizes, paths);
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

  async unsubscribe(subscriptionId: number): Promise<void> {
    const request = new DeleteSubscriptionsRequest({ subscriptionIds: [subscriptionId] });
    await this.#request('the end of a subscription', request);
  }

  monitor(subscriptionId: number, items: readonly ItemRequest[]): Promise<readonly ItemResult[]> {
    const asFull = (name: string): ItemResult => {
      return { status: { value: badStatus, name }, itemId: 0, samplingMs: 0, queueSize: 0 };
    };
    const monitorPart = async (part: readonly ItemRequest[]) => {
      const results: ItemResult[] = [];
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
      return results;
    };
    return this.#sizes.inParts('itemsPerCall', items, monitorPart, asFull);
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

  historyRead(request: HistoryRequest): Promise<readonly HistoryResult[]> {
    return this.#sizes.inParts('nodesPerHistoryRead', request.nodes, (nodes) =>
      this.#historyOf({ ...request, nodes }),
    );
  }

  async #historyOf(request: HistoryRequest): Promise<readonly HistoryResult[]> {
    const historyReadDetails = new ReadRawModifiedDetails({
      isReadModified: false,
      startTime: new Date(request.start),
      endTime: new Date(request.end),
      numValuesPerNode: request.valuesPerNode,
      returnBounds: false,
    });
    const response = await this.#request(
      'history',
      historyRequest(request.nodes, request.times, { historyReadDetails }),
    );
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
    const request = historyRequest(nodes, 'both', { historyReadDetails, releaseContinuationPoints: true });
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
