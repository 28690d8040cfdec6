// The ledger in the plainest form that can be: every message once, in order, into sets of positions in memory.
// It shares no arithmetic with the ledger: no ranges, no coverage, no batches.
import {
  indexOf,
  type LoggedMessage,
  type MadeBatch,
  type MadeVoid,
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
  /** By `device/stream`. */
  readonly streams: Readonly<Record<string, StreamImage>>;
  /** Messages by `partition/reason`. */
  readonly setAside: Readonly<Record<string, number>>;
}

interface Stream {
  readonly covered: Set<number>;
  readonly backfilled: Set<number>;
  readonly voids: Map<string, Set<number>>;
  readonly waived: Set<number>;
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
      if (message.kind === 'void') takeVoid(stream, message);
      else takeBatch(stream, message);
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
  parts: new Map(),
  messages: 0,
  duplicates: 0,
  readings: 0,
});

function takeVoid(stream: Stream, { window, reason }: MadeVoid): void {
  const isKnown = positionsOf(window).every((at) => stream.covered.has(at) || isVoid(stream, at));
  if (isKnown) stream.duplicates++;
  const positions = stream.voids.get(reason) ?? new Set();
  stream.voids.set(reason, positions);
  for (const at of positionsOf(window)) positions.add(at);
}

function takeBatch(stream: Stream, message: MadeBatch): void {
  const positions = positionsOf(message.window);
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

function takePart(stream: Stream, message: MadeBatch, { k, n }: { k: number; n: number }) {
  const { window, requestId, isBackfill } = message;
  const key = `${window.start} ${window.end} ${n} ${requestId ?? isBackfill}`;
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
  if (known.size === 0) return known;
  const span = { start: Math.min(...known), end: Math.max(...known) + 1 };
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
