// What a status says of an answer of HistoryRead: OPC 10000-11, 6.5.3.2 and annex; OPC 10000-4, 7.38. Pure. Only what a
// status says outright is taken for an end, or for no history: any other is a failure, and the same is asked again later.
import type { WireStatus } from './opcua-session.ts';

/**
 * - `all`: what was asked for, as far as it goes. `more`: there is more, whether or not a place is held for it.
 * - `empty`: nothing lies in the range. `lost`: what lay in it, or a part, is lost to the server as well.
 * - `no-history`: this node has none. `denied`: it cannot be had for this node as things are, which may change.
 * - `no-times`: not with the times that were asked for. `no-places`: the server cannot hold a place for the rest.
 * - `place-gone`: it holds the place no more.
 */
export type Meaning =
  | 'all'
  | 'more'
  | 'empty'
  | 'lost'
  | 'no-history'
  | 'denied'
  | 'no-times'
  | 'no-places'
  | 'place-gone'
  | 'failed';

const meanings: Readonly<Record<string, Meaning>> = {
  Good: 'all',
  // Bounds, which are not asked for.
  BadBoundNotFound: 'all',
  BadBoundNotSupported: 'all',
  GoodMoreData: 'more',
  GoodNoData: 'empty',
  BadNoData: 'empty',
  BadNoEntryExists: 'empty',
  BadDataLost: 'lost',
  BadHistoryOperationUnsupported: 'no-history',
  BadHistoryOperationInvalid: 'no-history',
  BadServiceUnsupported: 'no-history',
  BadNotSupported: 'no-history',
  BadNodeIdUnknown: 'denied',
  BadNodeIdInvalid: 'denied',
  BadUserAccessDenied: 'denied',
  BadNotReadable: 'denied',
  BadTimestampNotSupported: 'no-times',
  BadTimestampsToReturnInvalid: 'no-times',
  BadNoContinuationPoints: 'no-places',
  BadResponseTooLarge: 'no-places',
  BadEncodingLimitsExceeded: 'no-places',
  BadContinuationPointInvalid: 'place-gone',
};

/** Without flags: `Good#Overflow` is `Good`. */
export function plainName(status: Pick<WireStatus, 'name'>): string {
  return status.name.replace(/[#|].*$/s, '').trim();
}

export function meaningOf(status: WireStatus): Meaning {
  return meanings[plainName(status)] ?? 'failed';
}

/** Whether the service as a whole was refused for each of the nodes, rather than having failed. */
export function isRefusal(name: string): boolean {
  const meaning = meanings[name];
  return meaning === 'no-history' || meaning === 'denied' || meaning === 'no-times';
}

/** Whether the status vouches for what came with it, or for nothing having been there. */
export function isView(meaning: Meaning): boolean {
  return meaning === 'all' || meaning === 'more' || meaning === 'empty' || meaning === 'lost';
}
