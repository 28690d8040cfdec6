// The detector's API as the page calls it. Shapes are the server's own types.
import type { GatewayState } from '../../../gateways/gateway-states.ts';
import type { ConfigurationPage, GatewayDetail, GatewayPage } from '../../../gateways/gateways.ts';
import type { AlertView } from '../../../health/alerts.ts';
import type { Problem } from '../../../http/problem.ts';
import type { TrendSample } from '../../../http/trend.ts';
import type { AuditView } from '../../../ledger/audit.ts';
import type { CoverageView } from '../../../ledger/coverage.ts';
import type { FleetPage } from '../../../ledger/fleet.ts';
import type { StreamState } from '../../../ledger/stream-states.ts';
import type { StreamView } from '../../../ledger/streams.ts';
import type { Summary } from '../../../ledger/summary.ts';
import type { GapView } from '../../../repair/gap-views.ts';
import type { RequestView } from '../../../repair/request-views.ts';
import { clock } from './platform.ts';

/** What the API answered instead of what was asked for, or why it did not answer. */
export class CallError extends Error {
  /** 0 when nothing answered. */
  readonly status: number;
  readonly code: string | undefined;

  constructor(status: number, message: string, code?: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** The detector, or its database, is not there; asking again later may help. */
  get isAway(): boolean {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }
}

const limitMs = 10_000;
/** The difference that a Date header, in whole seconds, can prove. */
const provableSkewMs = 2000;
let skewMs = 0;

/** The detector's clock, as far as its answers tell: ages are then right on a machine whose own is not. */
export const serverNow = (): number => clock.now() + skewMs;

async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  const timeout = new AbortController();
  const timer = clock.setTimer(limitMs, () => timeout.abort());
  const signal = init.signal ? AbortSignal.any([init.signal, timeout.signal]) : timeout.signal;
  try {
    const response = await fetch(path, { ...init, signal, cache: 'no-store' });
    learnSkew(response.headers.get('date'));
    const body: unknown = await response.json();
    if (response.ok || path === 'readyz') return body as T;
    const problem = body as Problem;
    throw new CallError(response.status, problem.detail ?? `status ${response.status}`, problem.code);
  } catch (error) {
    if (error instanceof CallError || init.signal?.aborted) throw error;
    throw new CallError(0, timeout.signal.aborted ? 'no answer in time' : 'no answer');
  } finally {
    timer.cancel();
  }
}

function learnSkew(date: string | null): void {
  const at = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(at)) return;
  const difference = at - clock.now();
  skewMs = Math.abs(difference) < provableSkewMs ? 0 : difference;
}

type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    [value ?? []]
      .flat()
      .filter((each) => each !== '' || name === 'hash')
      .map((each) => [name, String(each)]),
  );
  const text = new URLSearchParams(given).toString();
  return text === '' ? path : `${path}?${text}`;
}

export interface FleetAsk {
  readonly state: StreamState | undefined;
  readonly search: string;
  readonly order: 'worst' | 'name';
  readonly periodMs: number;
  readonly offset: number;
  readonly limit: number;
}

export interface GatewayAsk {
  readonly state: GatewayState | undefined;
  readonly search: string;
  /** Hash of the wanted configuration; empty: none is known. */
  readonly hash: string | undefined;
  /** `name:value`. */
  readonly tags: readonly string[];
  /** The tag that configurations are grouped by. */
  readonly by: string | undefined;
  readonly offset: number;
  readonly limit: number;
}

export interface Readiness {
  readonly ready: boolean;
  readonly problems: readonly string[];
}

export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface ActionAnswer {
  readonly requestIds: readonly string[];
  readonly ranges: readonly Range[];
  /** Kept messages that could not be taken. */
  readonly notTaken?: { readonly messages: number; readonly why: string };
}

export const calls = {
  summary: (signal: AbortSignal) => call<Summary>('api/summary', { signal }),
  readiness: (signal: AbortSignal) => call<Readiness>('readyz', { signal }),
  trend: (signal: AbortSignal) =>
    call<{ intervalMs: number; samples: readonly TrendSample[] }>('api/trend', { signal }),
  fleet: (ask: FleetAsk, signal: AbortSignal) =>
    call<FleetPage>(withQuery('api/fleet', { ...ask }), { signal }),
  gateways: ({ state, search, hash, tags, offset, limit }: GatewayAsk, signal: AbortSignal) =>
    call<GatewayPage>(withQuery('api/gateways', { state, search, hash, tag: tags, offset, limit }), {
      signal,
    }),
  gateway: (deviceId: string, moduleId: string, signal: AbortSignal) =>
    call<GatewayDetail>(`api/gateways/${encodeURIComponent(deviceId)}/${encodeURIComponent(moduleId)}`, {
      signal,
    }),
  configurations: ({ search, tags, by }: Pick<GatewayAsk, 'search' | 'tags' | 'by'>, signal: AbortSignal) =>
    call<ConfigurationPage>(withQuery('api/configurations', { search, tag: tags, by }), { signal }),
  alerts: async (signal: AbortSignal) =>
    (await call<{ alerts: readonly AlertView[] }>('api/alerts?limit=8', { signal })).alerts,
  stream: (id: number, signal: AbortSignal) => call<StreamView>(`api/streams/${id}`, { signal }),
  coverage: (id: number, range: Range, signal: AbortSignal) =>
    call<CoverageView>(
      withQuery(`api/streams/${id}/coverage`, { from: Math.floor(range.start), to: Math.ceil(range.end) }),
      { signal },
    ),
  /** `live`: open, or perhaps only late. Newest first. */
  gaps: async (streamId: number, shown: 'live' | 'closed', signal: AbortSignal) => {
    const states = shown === 'live' ? ['open', 'waiting'] : ['closed'];
    const lists = await Promise.all(
      states.map((state) =>
        call<{ gaps: readonly GapView[] }>(withQuery('api/gaps', { streamId, state, limit: 100 }), {
          signal,
        }),
      ),
    );
    return lists.flatMap(({ gaps }) => gaps).sort((a, b) => b.gapId - a.gapId);
  },
  requests: async (streamId: number, signal: AbortSignal) =>
    (
      await call<{ requests: readonly RequestView[] }>(withQuery('api/requests', { streamId, limit: 30 }), {
        signal,
      })
    ).requests,
  audit: async (streamId: number, signal: AbortSignal) =>
    (await call<{ audit: readonly AuditView[] }>(withQuery('api/audit', { streamId, limit: 40 }), { signal }))
      .audit,
  request: (id: number, range: Range, token: string) =>
    post(`api/streams/${id}/requests`, { ...range }, token),
  waive: (id: number, range: Range, reason: string, token: string) =>
    post(`api/streams/${id}/waivers`, { ...range, reason }, token),
  accept: (id: number, range: Range, reason: string, token: string) =>
    post(`api/streams/${id}/acceptances`, { ...range, reason }, token),
  testAlert: (token: string) => post('api/alerts/test', {}, token),
  cancel: (requestId: string, reason: string, token: string) =>
    post(`api/requests/${encodeURIComponent(requestId)}/cancel`, { reason }, token),
};

/** The address of a file to save. */
export const accountHref = (
  { start, end }: Range,
  { state, search }: Pick<FleetAsk, 'state' | 'search'>,
): string => withQuery('api/account.csv', { from: start, to: end, state, search });

function post(path: string, body: object, token: string): Promise<ActionAnswer> {
  return call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
}
