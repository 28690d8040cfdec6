// The ledger in the plainest form that can be: every message once, in order, into sets of positions in memory.
// It shares no arithmetic with the ledger: no ranges, no coverage, no batches.
import {
  indexOf,
  type LoggedMessage,
  type MadeBatch,
  type MadeMessage,
  type Positions,
} from './made-message.ts';

/** What there is to compare of a stream; ranges as text, as the database writes them. */
export interface StreamImage {
  readonly covered: string;
  readonly backfilled: string;
  readonly voids: Readonly<Record<string, string>>;
  readonly waived: string;
  readonly missing: string;
  readonly messages: number;
  readonly duplicates: number;
  readonly readings: number;
  readonly pendingParts: number;
}

export interface LedgerImage {
  /** By `device/stream`; a stream's count of late windows is `device/stream#`. */
  readonly streams: Readonly<Record<string, StreamImage>>;
  /** Messages by `partition/reason`. */
  readonly setAside: Readonly<Record<string, number>>;
}

interface Stream {
  readonly covered: Set<number>;
  readonly backfilled: Set<number>;
  readonly voids: Map<string, Set<number>>;
  readonly waived: Set<number>;
  /** Positions that are known to exist, whether anything of them came or not. */
  readonly claimed: Set<number>;
  /** Parts seen of windows that are not covered, by window and encoding. */
  readonly parts: Map<string, { readonly window: Positions; readonly seen: Set<number> }>;
  messages: number;
  duplicates: number;
  readings: number;
}

export interface Oracle {
  take(partition: number, logged: LoggedMessage): void;
  /** A person accepts what is missing of `window` as lost. */
  waive(deviceId: string, batchId: string, window: Positions): void;
  image(): LedgerImage;
}

export function createOracle(): Oracle {
  const streams = new Map<string, Stream>();
  const setAside: Record<string, number> = {};
  const streamOf = (deviceId: string, batchId: string) => {
    const name = `${deviceId}/${batchId}`;
    const stream = streams.get(name) ?? newStream();
    streams.set(name, stream);
    return stream;
  };
  return {
    take(partition, { message }) {
      if (message.kind === 'foreign') {
        const name = `${partition}/${message.reason}`;
        setAside[name] = (setAside[name] ?? 0) + 1;
        return;
      }
      const stream = streamOf(message.deviceId, message.batchId);
      stream.messages++;
      const count = () => streamOf(message.deviceId, `${message.batchId}#`);
      const last = lastCounted(message);
      if (last !== undefined)
        for (const at of positionsOf({ start: 1, end: last + 1 })) count().claimed.add(at);
      takeStart(stream, message);
      if (message.kind === 'void') takeVoid(stream, message);
      else if (message.kind === 'batch') takeBatch(stream, message);
      else if (message.kind === 'late') {
        count().messages++;
        takeBatch(count(), { ...message, window: { start: message.number, end: message.number + 1 } });
      } else {
        count().messages++;
        takeVoid(count(), { ...message, window: message.numbers });
      }
    },
    waive(deviceId, batchId, window) {
      const stream = streamOf(deviceId, batchId);
      const missing = missingOf(stream);
      for (const at of positionsOf(window)) if (missing.has(at)) stream.waived.add(at);
    },
    image: () => ({
      streams: Object.fromEntries(
        [...streams].map(([name, stream]) => [name, imageOf(name.split('/')[1]!, stream)]),
      ),
      setAside: { ...setAside },
    }),
  };
}

const newStream = (): Stream => ({
  covered: new Set(),
  backfilled: new Set(),
  voids: new Map(),
  waived: new Set(),
  claimed: new Set(),
  parts: new Map(),
  messages: 0,
  duplicates: 0,
  readings: 0,
});

/** Where the message says that its stream began: nothing is known of what lies before. */
function takeStart(stream: Stream, message: Exclude<MadeMessage, { kind: 'foreign' }>): void {
  if (message.kind !== 'batch' && message.kind !== 'void') return;
  const { streamStart, window } = message;
  if (streamStart !== undefined && streamStart < window.start) stream.claimed.add(streamStart);
}

/** How far the message says that the stream's late windows are counted. */
function lastCounted(message: MadeMessage): number | undefined {
  if (message.kind === 'foreign') return undefined;
  if (message.kind === 'late') return message.number;
  return message.kind === 'late-void' ? message.numbers.end - 1 : message.lateThrough;
}

function takeVoid(
  stream: Stream,
  { window, reason }: { readonly window: Positions; readonly reason: string },
): void {
  const isKnown = positionsOf(window).every((at) => stream.covered.has(at) || isVoid(stream, at));
  if (isKnown) stream.duplicates++;
  const positions = stream.voids.get(reason) ?? new Set();
  stream.voids.set(reason, positions);
  for (const at of positionsOf(window)) positions.add(at);
}

type Batch = Pick<MadeBatch, 'window' | 'readings' | 'isBackfill' | 'requestId' | 'part'>;

function takeBatch(stream: Stream, message: Batch): void {
  const positions = positionsOf(message.window);
  for (const at of positions) stream.claimed.add(at);
  if (positions.every((at) => stream.covered.has(at))) {
    stream.duplicates++;
    return;
  }
  const outcome = message.part === undefined ? 'whole' : takePart(stream, message, message.part);
  if (outcome === 'seen') {
    stream.duplicates++;
    return;
  }
  stream.readings += message.readings;
  if (outcome === 'waiting') return;
  for (const at of positions) {
    if (message.isBackfill && !stream.covered.has(at)) stream.backfilled.add(at);
    stream.covered.add(at);
  }
  for (const [key, { window }] of stream.parts) {
    if (positionsOf(window).every((at) => stream.covered.has(at))) stream.parts.delete(key);
  }
}

function takePart(stream: Stream, message: Batch, { k, n, set: named }: NonNullable<Batch['part']>) {
  const { window, requestId, isBackfill } = message;
  const encoding = named === undefined ? `${requestId ?? isBackfill}` : `#${named}`;
  const key = `${window.start} ${window.end} ${n} ${encoding}`;
  const set = stream.parts.get(key) ?? { window, seen: new Set<number>() };
  stream.parts.set(key, set);
  if (set.seen.has(k)) return 'seen';
  set.seen.add(k);
  return set.seen.size === n ? 'whole' : 'waiting';
}

const isVoid = (stream: Stream, at: number) => [...stream.voids.values()].some((voids) => voids.has(at));

/** Between the first and the last position of which anything is known. */
function missingOf(stream: Stream): Set<number> {
  const known = new Set([...stream.covered, ...[...stream.voids.values()].flatMap((voids) => [...voids])]);
  const told = [...known, ...stream.claimed];
  if (told.length === 0) return known;
  const span = { start: Math.min(...told), end: Math.max(...told) + 1 };
  return new Set(positionsOf(span).filter((at) => !known.has(at) && !stream.waived.has(at)));
}

function positionsOf({ start, end }: Positions): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i);
}

function imageOf(batchId: string, stream: Stream): StreamImage {
  const text = (positions: Set<number>) => rangesText(batchId, positions);
  return {
    covered: text(stream.covered),
    backfilled: text(stream.backfilled),
    voids: Object.fromEntries([...stream.voids].map(([reason, voids]) => [reason, text(voids)])),
    waived: text(stream.waived),
    missing: text(missingOf(stream)),
    messages: stream.messages,
    duplicates: stream.duplicates,
    readings: stream.readings,
    pendingParts: [...stream.parts.values()].reduce((sum, { seen }) => sum + seen.size, 0),
  };
}

/** `{[0,3),[7,8)}` */
function rangesText(batchId: string, positions: Set<number>): string {
  const ranges: string[] = [];
  const sorted = [...positions].sort((a, b) => a - b);
  let start = sorted[0];
  for (const [i, at] of sorted.entries()) {
    if (sorted[i + 1] === at + 1) continue;
    ranges.push(`[${indexOf(batchId, start!)},${indexOf(batchId, at + 1)})`);
    start = sorted[i + 1];
  }
  return `{${ranges.join(',')}}`;
}
