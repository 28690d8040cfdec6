// What the cloud holds, kept by someone who takes no part in the loop: every message that came out of the
// Event Hub endpoint, unpacked to single readings. The account is drawn up from this, not from what the
// detector believes.
import { type Coverage, normalise, subtract, union } from '../../wire/coverage.ts';
import type { Reading, Value } from '../../wire/reading.ts';
import type { IndexKind, Window } from '../../wire/window.ts';

/** One message as it was stored, decoded. */
export interface CloudMessage {
  readonly messageId: string;
  readonly batchId: string;
  readonly index: IndexKind;
  /** Empty of a declaration that late windows are lost. */
  readonly window: Window;
  readonly isBackfill: boolean;
  readonly content:
    | {
        /** `late`: readings without a claim. */
        readonly kind: 'batch' | 'late';
        readonly readings: readonly Reading[];
        /** What the message says it carries. */
        readonly count?: number;
        readonly part?: { readonly k: number; readonly n: number };
      }
    | { readonly kind: 'void'; readonly reason: string }
    | { readonly kind: 'late-void'; readonly reason: string };
}

/** One tag at one index, over all messages that carried it. */
export interface SeenReading {
  readonly value: Value;
  /** How many times it came with this value; one is no duplicate. */
  times: number;
  /** Values that contradict the first one. */
  readonly others: Value[];
}

export interface StreamCopy {
  readonly batchId: string;
  readonly index: IndexKind;
  messages: number;
  backfillMessages: number;
  /** Messages whose id had been seen before. */
  repeatedMessages: number;
  /** Windows of which every part has come. */
  covered: Coverage;
  /** The part of `covered` that first came as a repair. */
  repaired: Coverage;
  readonly voids: { readonly window: Window; readonly reason: string }[];
  readonly readings: Map<number, Map<string, SeenReading>>;
  /** Index positions that a repair brought first. */
  repairedSamples: number;
  /** Readings outside the window of the message that carried them. */
  misplaced: number;
  /** Messages that carried another number of readings than they said. */
  miscounted: number;
}

export interface CloudCopy {
  take(message: CloudMessage): void;
  streams(): ReadonlyMap<string, StreamCopy>;
}

export function createCloudCopy(): CloudCopy {
  const streams = new Map<string, StreamCopy>();
  const messageIds = new Set<string>();
  const parts = new Map<string, Set<number>>();

  return {
    streams: () => streams,
    take(message) {
      const { batchId, index } = message;
      const stream = streams.get(batchId) ?? emptyStream(batchId, index);
      streams.set(batchId, stream);
      stream.messages += 1;
      if (message.isBackfill) stream.backfillMessages += 1;
      if (messageIds.has(message.messageId)) stream.repeatedMessages += 1;
      messageIds.add(message.messageId);
      if (message.content.kind === 'void') {
        stream.voids.push({ window: message.window, reason: message.content.reason });
        return;
      }
      if (message.content.kind === 'late-void') return;
      const { kind, readings, count, part } = message.content;
      for (const reading of readings) addReading(stream, message, reading);
      if (count !== undefined && count !== readings.length) stream.miscounted += 1;
      if (kind === 'late') return;
      if (part === undefined || isLastPart(parts, message, part)) {
        const fresh = subtract([message.window], stream.covered);
        if (message.isBackfill) stream.repaired = union(stream.repaired, fresh);
        stream.covered = union(stream.covered, [message.window]);
      }
    },
  };
}

/** The ranges declared void, merged. */
export const voidCoverage = (stream: StreamCopy): Coverage =>
  normalise(stream.voids.map(({ window }) => window));

function emptyStream(batchId: string, index: IndexKind): StreamCopy {
  return {
    batchId,
    index,
    messages: 0,
    backfillMessages: 0,
    repeatedMessages: 0,
    covered: [],
    repaired: [],
    voids: [],
    readings: new Map(),
    repairedSamples: 0,
    misplaced: 0,
    miscounted: 0,
  };
}

function addReading(stream: StreamCopy, message: CloudMessage, { index, tag, value }: Reading): void {
  const { window, isBackfill } = message;
  if (index < window.start || index >= window.end) stream.misplaced += 1;
  const known = stream.readings.get(index);
  const tags = known ?? new Map<string, SeenReading>();
  stream.readings.set(index, tags);
  if (!known && isBackfill) stream.repairedSamples += 1;
  const seen = tags.get(tag);
  if (!seen) tags.set(tag, { value, times: 1, others: [] });
  else if (sameValue(seen.value, value)) seen.times += 1;
  else seen.others.push(value);
}

function isLastPart(parts: Map<string, Set<number>>, message: CloudMessage, part: { k: number; n: number }) {
  // The live parts of a window and the parts of its repetition complete each other: they are the same bytes.
  const key = `${message.batchId}/${message.window.start}-${message.window.end}/${part.n}`;
  const arrived = parts.get(key) ?? new Set();
  parts.set(key, arrived.add(part.k));
  return arrived.size === part.n;
}

/** True when one of the values that came is `value`. */
export const holds = (seen: SeenReading, value: Value | undefined): boolean =>
  sameValue(seen.value, value) || seen.others.some((other) => sameValue(other, value));

/** Bit for bit, for what JSON can hold: 0.1 + 0.2 is not 0.3, and true is not 1. */
export function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}
