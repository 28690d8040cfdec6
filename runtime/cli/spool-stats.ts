// `holdfast spool stats` for people and for programs.

import { exitCodes } from './exit-codes.ts';
import type { OpenedSpool } from './spool/open.ts';
import {
  type Aged,
  type Amount,
  maxHoles,
  type SpoolSummary,
  type StreamSummary,
  summarise,
} from './spool/stats.ts';
import type { Output } from './spool-output.ts';
import {
  counted,
  formatBytes,
  formatCount,
  formatDuration,
  formatLength,
  formatPlace,
  formatTime,
  formatWindow,
  printable,
  tableLines,
  windowJson,
} from './spool-text.ts';

/** Holes that are shown to people, per stream; `--json` has up to `maxHoles`. */
const shownHoles = 5;

export async function printStats(
  spool: OpenedSpool,
  options: { readonly json: boolean; readonly now: number },
  out: Output,
): Promise<number> {
  const summary = summarise(spool.reader);
  const lines = options.json
    ? [JSON.stringify(statsJson(spool, summary, options.now))]
    : statsLines(spool, summary, options.now);
  for (const line of lines) if (!(await out.line(line))) break;
  return exitCodes.ok;
}

/** The stable shape of `stats --json`. Times and places as text: ISO 8601 UTC, or record numbers. */
export function statsJson(spool: OpenedSpool, summary: SpoolSummary, now: number) {
  const { unsent, backfill, archive, stored, refused, quarantined, unreadable, evicted } = summary;
  return {
    store: spool.layout.store,
    at: formatTime(now),
    disk: { bytes: spool.asIs.files.bytes, files: spool.asIs.files.files.size, ...spool.asIs.files.shares },
    stored,
    lanes: { unsent: agedJson(unsent, now), backfill: agedJson(backfill, now) },
    archive: agedJson(archive, now),
    refused,
    quarantined,
    unreadable,
    evicted: evicted ?? null,
    streams: summary.streams.map(streamJson),
    jobs: summary.jobs.map(({ requestId, batchId, state, index, range, covered, voids, updatedAt }) => ({
      requestId,
      batchId,
      state,
      range: windowJson(index, range),
      covered: covered.map((window) => windowJson(index, window)),
      voids: voids.map(({ window, reason }) => ({ window: windowJson(index, window), reason })),
      updatedAt: formatTime(updatedAt),
    })),
    settings: summary.settings,
    quarantinedStores: spool.layout.quarantinedStores.map(({ folder, bytes, changedAt }) => ({
      folder,
      bytes,
      changedAt: formatTime(changedAt),
    })),
    problems: [
      ...spool.asIs.files.problems,
      ...summary.damagedDocuments.map((file) => ({ severity: 'damage', file, reason: 'it cannot be read' })),
    ],
  };
}

function agedJson(aged: Aged, now: number) {
  const { messages, bytes, oldestAt, newestAt } = aged;
  return {
    messages,
    bytes,
    oldestAt: oldestAt === undefined ? null : formatTime(oldestAt),
    newestAt: newestAt === undefined ? null : formatTime(newestAt),
    oldestAgeMs: oldestAt === undefined ? null : now - oldestAt,
  };
}

function streamJson(stream: StreamSummary) {
  const { batchId, index, stored, unsent, backfill, archived, holes, holeCount, holeSize, voids } = stream;
  return {
    batchId,
    index,
    stored,
    unsent,
    backfill,
    archived,
    span: stream.span === undefined ? null : windowJson(index, stream.span),
    holeCount,
    holeSize,
    holes: holes.map((hole) => windowJson(index, hole)),
    voids,
    open: stream.open && {
      window: windowJson(index, stream.open.window),
      readings: stream.open.readings,
    },
  };
}

export function* statsLines(spool: OpenedSpool, summary: SpoolSummary, now: number): Generator<string> {
  const { stored } = summary;
  yield `Store     ${spool.layout.store}`;
  const { index, wal, values } = spool.asIs.files.shares;
  yield `On disk   ${formatBytes(spool.asIs.files.bytes)} in ${counted(spool.asIs.files.files.size, 'files')}`;
  yield `          messages ${formatBytes(values)}, write-ahead log ${formatBytes(wal)}, index ${formatBytes(index)}`;
  yield `Stored    ${counted(stored.messages, 'messages')}, ${formatBytes(stored.bytes)}`;
  yield '';
  yield* tableLines(
    [
      { title: 'LANE' },
      { title: 'MESSAGES', right: true },
      { title: 'BYTES', right: true },
      { title: 'OLDEST' },
      { title: 'AGE' },
    ],
    (['unsent', 'backfill', 'archive'] as const).map((lane) => laneRow(lane, summary[lane], now)),
  );
  yield '';
  yield* streamLines(summary.streams);
  yield* jobLines(summary);
  yield* troubleLines(spool, summary);
}

function laneRow(lane: string, { messages, bytes, oldestAt }: Aged, now: number): string[] {
  const age = oldestAt === undefined ? ['-', '-'] : [formatTime(oldestAt), formatDuration(now - oldestAt)];
  return [lane, formatCount(messages), formatBytes(bytes), ...age];
}

function* streamLines(streams: readonly StreamSummary[]): Generator<string> {
  if (streams.length === 0) {
    yield 'No streams.';
    return;
  }
  const count = ({ messages }: Amount) => formatCount(messages);
  const right = true;
  yield* tableLines(
    [
      { title: 'STREAM' },
      { title: 'MESSAGES', right },
      { title: 'BYTES', right },
      { title: 'UNSENT', right },
      { title: 'BACKFILL', right },
      { title: 'FIRST' },
      { title: 'LAST' },
      { title: 'HOLES', right },
      { title: 'IN HOLES', right },
      { title: 'OPEN', right },
    ],
    streams.map((stream) => [
      printable(stream.batchId),
      count(stream.stored),
      formatBytes(stream.stored.bytes),
      count(stream.unsent),
      count(stream.backfill),
      stream.span === undefined ? '-' : formatPlace(stream.index, stream.span.start),
      stream.span === undefined ? '-' : formatPlace(stream.index, stream.span.end),
      formatCount(stream.holeCount),
      stream.holeCount === 0 ? '-' : formatLength(stream.index, stream.holeSize),
      stream.open === undefined ? '-' : counted(stream.open.readings, 'readings'),
    ]),
  );
  for (const stream of streams) yield* holeLines(stream);
}

function* holeLines({ batchId, index, holes, holeCount }: StreamSummary): Generator<string> {
  if (holeCount === 0) return;
  yield '';
  yield `Holes of ${printable(batchId)}, where no stored window or void says what happened:`;
  for (const hole of holes.slice(0, shownHoles)) {
    yield `  ${formatWindow(index, hole)} (${formatLength(index, hole.end - hole.start)})`;
  }
  const more = holeCount - shownHoles;
  if (more > 0) yield `  and ${formatCount(more)} more (--json lists ${formatCount(maxHoles)})`;
}

function* jobLines({ jobs }: SpoolSummary): Generator<string> {
  if (jobs.length === 0) return;
  yield '';
  yield* tableLines(
    [
      { title: 'BACKFILL JOB' },
      { title: 'STREAM' },
      { title: 'STATE' },
      { title: 'RANGE' },
      { title: 'UPDATED' },
    ],
    jobs.map(({ requestId, batchId, state, index, range, updatedAt }) => [
      printable(requestId),
      printable(batchId),
      state,
      formatWindow(index, range),
      formatTime(updatedAt),
    ]),
  );
}

function* troubleLines(spool: OpenedSpool, summary: SpoolSummary): Generator<string> {
  const { refused, quarantined, unreadable, evicted } = summary;
  const counts: readonly (readonly [number, string])[] = [
    [refused, 'refused by the hub for good (list --lane refused)'],
    [evicted ?? 0, 'windows removed unsent in the life of this store'],
    [quarantined, 'damaged records that the module quarantined'],
    [unreadable, 'messages that cannot be read now'],
    [summary.damagedDocuments.length, 'backfill jobs that cannot be read now'],
    [spool.asIs.files.problems.length, "problems in the store's files"],
  ];
  const troubles = counts.filter(([count]) => count > 0);
  if (troubles.length > 0) yield '';
  for (const [count, what] of troubles) yield `${formatCount(count)} ${what}`;
  if (unreadable + summary.damagedDocuments.length + spool.asIs.files.problems.length > 0) {
    yield 'Run `holdfast spool verify` for each of them.';
  }
  const { quarantinedStores } = spool.layout;
  if (quarantinedStores.length === 0) return;
  yield '';
  yield* tableLines(
    [{ title: 'STORE SET ASIDE' }, { title: 'BYTES', right: true }, { title: 'LAST WRITTEN' }],
    quarantinedStores.map(({ folder, bytes, changedAt }) => [
      folder,
      formatBytes(bytes),
      formatTime(changedAt),
    ]),
  );
}
