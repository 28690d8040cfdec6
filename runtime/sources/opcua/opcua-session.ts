/** OPC 10000-4, 7.38: a status code, and its name without info bits, as `BadNodeIdUnknown`. */
export interface WireStatus {
  readonly value: number;
  readonly name: string;
}

/** OPC 10000-6, 5.2.2.16. `dataType` is that of OPC 10000-6, table 1; 64-bit integers are `[high, low]`. */
export interface WireVariant {
  readonly dataType: number;
  /** 0 scalar, 1 array, 2 matrix. */
  readonly arrayType: number;
  readonly value: unknown;
  readonly dimensions?: readonly number[] | null;
}

/** As the library decodes it: nothing is copied on the way in. */
export interface WireValue {
  readonly value?: WireVariant | null;
  readonly statusCode: WireStatus;
  readonly sourceTimestamp: Date | null;
  /** What its time has beyond milliseconds. */
  readonly sourcePicoseconds?: number;
  readonly serverTimestamp: Date | null;
}

/** OPC 10000-5, 6.3.11; 0 where the server states none. */
export interface OperationLimits {
  readonly nodesPerRead: number;
  readonly nodesPerWrite: number;
  readonly nodesPerBrowse: number;
  readonly nodesPerTranslate: number;
  readonly itemsPerCall: number;
  readonly nodesPerHistoryRead: number;
  readonly historyContinuationPoints: number;
}

export interface Reference {
  readonly nodeId: string;
  /** `2:Temperature`. */
  readonly browseName: string;
  readonly isVariable: boolean;
  readonly isObject: boolean;
  /** Says something about its node, as a unit; no value of the process. */
  readonly isProperty: boolean;
}

export interface Browsed {
  readonly status: WireStatus;
  readonly references: readonly Reference[];
  /** There are more, which the server did not give, or which are too many. */
  readonly isCut: boolean;
}

export interface SubscriptionRequest {
  readonly publishMs: number;
  readonly keepAliveCount: number;
  readonly lifetimeCount: number;
  readonly maxNotifications: number;
}

export interface Subscription {
  readonly id: number;
  /** As the server granted it. */
  readonly publishMs: number;
  readonly keepAliveCount: number;
}

export interface ItemRequest {
  readonly nodeId: string;
  readonly handle: number;
  readonly samplingMs: number;
  readonly queueSize: number;
  readonly trigger: 'value' | 'timestamp';
  readonly deadband?: { readonly kind: 'absolute' | 'percent'; readonly value: number };
}

export interface ItemResult {
  readonly status: WireStatus;
  readonly itemId: number;
  readonly samplingMs: number;
  readonly queueSize: number;
}

export interface Notification {
  readonly handle: number;
  readonly value: WireValue;
}

/** OPC 10000-4, 5.14.5 and 7.26. */
export interface Published {
  readonly subscriptionId: number;
  readonly sequence: number;
  /** Epoch ms by the server's clock; when the answer was made, where the message does not say. */
  readonly publishedAt: number;
  readonly more: boolean;
  /** None in a keep-alive. */
  readonly values: readonly Notification[];
  readonly isKeepAlive: boolean;
  /** The subscription ended, for this reason. */
  readonly ended?: WireStatus;
}

export interface Acknowledgement {
  readonly subscriptionId: number;
  readonly sequence: number;
}

export interface HistoryNode {
  readonly nodeId: string;
  readonly continuation?: Uint8Array;
}

/** Which times the server is asked for: some keep only one of them, and refuse the other. */
export type Times = 'both' | 'source' | 'server';

export interface HistoryRequest {
  /** Epoch ms. Backwards where `end` lies before `start`. */
  readonly start: number;
  readonly end: number;
  readonly valuesPerNode: number;
  readonly times: Times;
  readonly nodes: readonly HistoryNode[];
}

export interface HistoryResult {
  readonly status: WireStatus;
  readonly values: readonly WireValue[];
  /** The server holds its place, and there is more. */
  readonly continuation?: Uint8Array;
}

export interface OpcuaSession {
  readonly limits: OperationLimits;
  /** As `SignAndEncrypt, Basic256Sha256`. */
  readonly security: string;
  readonly namespaces: readonly string[];
  /** Aborts with the HoldfastError that says why no call will succeed any more. */
  readonly lost: AbortSignal;
  /** The server's clock, epoch ms, as its last answer had it; undefined before any. */
  serverTime(): Promise<number>;
  read(nodeIds: readonly string[], attribute?: number): Promise<readonly WireValue[]>;
  browse(nodeIds: readonly string[]): Promise<readonly Browsed[]>;
  /** From the Objects folder; a node id, or why there is none. */
  translate(paths: readonly string[]): Promise<readonly (string | WireStatus)[]>;
  subscribe(request: SubscriptionRequest): Promise<Subscription>;
  /** With all its items. */
  unsubscribe(subscriptionId: number): Promise<void>;
  /** Rejects with HalfMadeError where the subscription is not to be used any more. */
  monitor(subscriptionId: number, items: readonly ItemRequest[]): Promise<readonly ItemResult[]>;
  publish(acknowledge: readonly Acknowledgement[], limitMs: number): Promise<Published>;
  republish(subscriptionId: number, sequence: number): Promise<Published>;
  historyRead(request: HistoryRequest): Promise<readonly HistoryResult[]>;
  /** Lets go of what the server holds. */
  historyRelease(nodes: readonly HistoryNode[]): Promise<void>;
  write(nodeId: string, value: WireVariant): Promise<WireStatus>;
  /** Bounded; never rejects. Idempotent. */
  close(): Promise<void>;
}
