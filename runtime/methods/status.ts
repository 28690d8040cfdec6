// The status report: what an operator asks the module first. Pure composition: each part supplies its own section.
import { formatIndex } from '../../wire/index-position.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { JobRecord } from './backfill-store.ts';
import { isOpen, remainingOf } from './job-ranges.ts';

/** Times are wall clock, epoch ms. */
export interface SourceStatus {
  readonly batchId: string;
  readonly name: string;
  readonly phase: string;
  readonly since: number;
  readonly disconnectedSince?: number;
  readonly lastError?: { readonly code: string; readonly message: string; readonly at: number };
  readonly lastEventAt?: number;
  readonly lastReadingAt?: number;
  readonly lastBreak?: {
    readonly reason: string;
    readonly words: string;
    readonly at: number;
    readonly recent: number;
  };
  readonly complaint?: string;
  /** What the adapter learned of its equipment: what it refuses, needs or ignores. */
  readonly learned?: Readonly<Record<string, unknown>>;
}

export interface StreamStatus {
  readonly batchId: string;
  readonly index: IndexKind;
  /** The window being filled. */
  readonly open?: Window;
  /** The last window that was closed. */
  readonly lastWindow?: Window;
}

export interface LaneStatus {
  readonly messages: number;
  readonly bytes: number;
  readonly oldestAt?: number;
}

export interface SpoolStatus {
  readonly lanes: Readonly<Record<string, LaneStatus>>;
  readonly streams?: readonly StreamStatus[];
}

export interface StatusParts {
  readonly version: string;
  /** Wall clock, epoch ms. */
  readonly now: number;
  readonly startedAt: number;
  readonly sources: readonly SourceStatus[];
  /** Sources that could not even be built. */
  readonly failedSources?: readonly { readonly name: string; readonly reason: string }[];
  /** Streams as the windows know them; what the spool knows of them is added. */
  readonly streams: readonly StreamStatus[];
  readonly spool: SpoolStatus;
  readonly uplink: { readonly connected: boolean; readonly since: number; readonly diagnosis?: string };
  readonly forwarder?: object;
  readonly jobs: readonly JobRecord[];
  /** Whether the wall clock is trusted, and why not. */
  readonly clock?: { readonly trusted: boolean; readonly reason?: string };
  readonly config?: object;
  readonly rules?: readonly object[];
  /** Entries of each kind beyond this are counted, not listed. */
  readonly maxListed?: number | undefined;
}

/** For an answer to a method, which has at most 128 KiB. */
const fewEntries = 150;
const maxListedJobs = 20;

/** Times as ISO 8601 UTC, ages in ms, windows as pairs of index texts. */
export function composeStatus(parts: StatusParts): Record<string, unknown> {
  const { now, maxListed = fewEntries } = parts;
  const { streams: stored = [], lanes, ...spool } = parts.spool;
  return {
    version: parts.version,
    time: iso(now),
    startedAt: iso(parts.startedAt),
    uptimeMs: now - parts.startedAt,
    clock: parts.clock ?? { trusted: true },
    uplink: { ...parts.uplink, since: iso(parts.uplink.since) },
    ...(parts.forwarder ? { forwarder: parts.forwarder } : {}),
    sources: parts.sources.slice(0, maxListed).map((source) => sourceReport(source, now)),
    failedSources: parts.failedSources ?? [],
    streams: joinStreams(parts.streams, stored).slice(0, maxListed).map(streamReport),
    spool: { ...spool, lanes: laneReports(lanes, now) },
    jobs: jobsReport(parts.jobs),
    totals: { sources: parts.sources.length, streams: parts.streams.length },
    ...(parts.config ? { config: parts.config } : {}),
    ...(parts.rules?.length ? { rules: parts.rules.slice(0, maxListed) } : {}),
  };
}

function sourceReport(
  { since, disconnectedSince, lastEventAt, lastReadingAt, lastError, lastBreak, ...source }: SourceStatus,
  now: number,
): object {
  return {
    ...source,
    since: iso(since),
    ...(disconnectedSince === undefined ? {} : { disconnectedSince: iso(disconnectedSince) }),
    ...(lastEventAt === undefined ? {} : { lastEventAgeMs: now - lastEventAt }),
    ...(lastReadingAt === undefined ? {} : { lastReadingAgeMs: now - lastReadingAt }),
    ...(lastError === undefined ? {} : { lastError: { ...lastError, at: iso(lastError.at) } }),
    ...(lastBreak === undefined ? {} : { lastBreak: { ...lastBreak, at: iso(lastBreak.at) } }),
  };
}

/** Also streams that the spool still has and no source feeds any more. */
function joinStreams(fed: readonly StreamStatus[], stored: readonly StreamStatus[]): readonly StreamStatus[] {
  const joined = new Map<string, StreamStatus>(stored.map((stream) => [stream.batchId, stream]));
  for (const stream of fed) joined.set(stream.batchId, { ...joined.get(stream.batchId), ...stream });
  return [...joined.values()];
}

function streamReport({ open, lastWindow, ...stream }: StreamStatus): object {
  const { index } = stream;
  return {
    ...stream,
    ...(lastWindow ? { lastWindow: pair(index, lastWindow) } : {}),
    ...(open ? { open: pair(index, open) } : {}),
  };
}

function laneReports(lanes: Readonly<Record<string, LaneStatus>>, now: number): object {
  const reports = Object.entries(lanes).map(([lane, { messages, bytes, oldestAt }]) => [
    lane,
    { messages, bytes, ...(oldestAt === undefined ? {} : { oldestAgeMs: Math.max(0, now - oldestAt) }) },
  ]);
  return Object.fromEntries(reports);
}

function jobsReport(jobs: readonly JobRecord[]): object {
  const open = jobs.filter(isOpen);
  return {
    open: open.length,
    finished: jobs.length - open.length,
    list: open.slice(0, maxListedJobs).map((job) => ({
      requestId: job.requestId,
      batchId: job.batchId,
      state: job.state,
      ...(job.lateSeries === undefined ? {} : { lateSeries: job.lateSeries }),
      requested: pair(job.lateSeries === undefined ? job.index : 'sequence', job.range),
      remaining: remainingOf(job).length,
    })),
  };
}

function pair(index: IndexKind, window: Window): [string, string] {
  return [formatIndex(index, window.start), formatIndex(index, window.end)];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
