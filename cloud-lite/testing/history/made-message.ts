// A message as a history makes it, and as the hub then shows it to a detector. Positions are small integers, so
// that an oracle can hold every one of them; a stream by time has them that many milliseconds after an epoch.
import type { IndexKind } from '../../../wire/window.ts';
import type { ReceivedEvent } from '../../ingest/event-source.ts';

export const moduleId = 'holdfast';
export const devices = ['d0', 'd1', 'd2'];
/** By name: what orders them. */
export const streamKinds: Readonly<Record<string, IndexKind>> = { a: 'sequence', b: 'time' };
/** Position 0 of streams by time. */
export const timeOrigin = Date.UTC(2026, 10, 21);
/** Windows by time that start before this are set aside. */
export const earliest = Date.UTC(2000, 0, 1);

export interface Positions {
  readonly start: number;
  readonly end: number;
}

/** How a message names its properties: as ours, or as one of the three forms that the published sample uses. */
export const spellings = ['ours', 'sample-1', 'sample-1-answer', 'sample-2'] as const;
export type Spelling = (typeof spellings)[number];

interface Made {
  readonly deviceId: string;
  readonly batchId: string;
  readonly isBackfill: boolean;
  readonly requestId?: string;
}

interface MadeContent {
  readonly readings: number;
  /** `set` names the encoding; older senders do not say it. */
  readonly part?: { readonly k: number; readonly n: number; readonly set?: string };
}

export interface MadeBatch extends Made, MadeContent {
  readonly kind: 'batch';
  readonly window: Positions;
  readonly lateThrough?: number;
  readonly streamStart?: number;
  readonly spelling?: Spelling;
}

export interface MadeVoid extends Made {
  readonly kind: 'void';
  readonly window: Positions;
  readonly lateThrough?: number;
  readonly streamStart?: number;
  readonly reason: string;
}

/** Readings that came late, somewhere in `window`. */
export interface MadeLate extends Made, MadeContent {
  readonly kind: 'late';
  readonly window: Positions;
  readonly number: number;
}

/** The late windows `numbers` are lost. */
export interface MadeLateVoid extends Made {
  readonly kind: 'late-void';
  readonly numbers: Positions;
  readonly reason: string;
}

/** Not for the ledger: `reason` is what it must be counted under. */
export interface MadeForeign {
  readonly kind: 'foreign';
  readonly deviceId: string;
  readonly reason: keyof typeof foreign;
}

export type MadeMessage = MadeBatch | MadeVoid | MadeLate | MadeLateVoid | MadeForeign;

/** Of all late numbers. */
export const series = '5e12e5';

/** What a partition holds. */
export interface LoggedMessage {
  readonly message: MadeMessage;
  /** When the hub had it, epoch ms. */
  readonly at: number;
  /** What the hub states instead, of number and time: always the same. */
  readonly wrongNumber?: number;
  readonly wrongTime?: number;
}

export const indexOf = (batchId: string, position: number): number =>
  streamKinds[batchId] === 'time' ? timeOrigin + position : position;

export function eventOf(
  { message, at, wrongNumber, wrongTime }: LoggedMessage,
  sequenceNumber: number,
): ReceivedEvent {
  const place = {
    sequenceNumber: wrongNumber ?? sequenceNumber,
    offset: String(sequenceNumber * 100),
    enqueuedAt: wrongTime ?? at,
  };
  const annotations = {
    'iothub-connection-device-id': message.deviceId,
    'iothub-connection-module-id': moduleId,
    'iothub-message-source': 'Telemetry',
  };
  if (message.kind === 'foreign') return { ...place, annotations, ...foreign[message.reason] };
  return { ...place, annotations, properties: propertiesOf(message) };
}

const ours = (batchId: string, start: number, end: number) => ({
  batchId,
  index: streamKinds[batchId]!,
  startWindow: streamKinds[batchId] === 'time' ? new Date(start).toISOString() : String(start),
  endWindow: streamKinds[batchId] === 'time' ? new Date(end).toISOString() : String(end),
});

/** Each under the reason for which it is set aside. */
const foreign = {
  'not-telemetry': {
    annotations: { 'iothub-connection-device-id': 'd0', 'iothub-message-source': 'twinChangeEvents' },
    properties: ours('a', 0, 1_000_000),
  },
  'no-device': { annotations: {}, properties: ours('a', 0, 1_000_000) },
  'not-a-mini-batch': {
    // Text of others: with a NUL, with half a character, and with a whole one where it is cut.
    properties: {
      batchId: 'a',
      startWindow: 'soon',
      text: 'a NUL \0 inside',
      half: '\udc00 and \ud800',
      long: `${'x'.repeat(993)}\u{1f600}${'x'.repeat(5000)}`,
    },
  },
  // What the hub's client gave is no event: nobody knows when the hub had it.
  'damaged-event': { enqueuedAt: Number.NaN, properties: ours('a', 0, 10) },
  'implausible-time': { properties: ours('b', earliest - 1000, earliest + 1) },
  'implausible-width': { properties: ours('a', 5, 5_000_000) },
  // What a counter says that was replaced, beyond all that a history reaches.
  'implausible-jump': {
    properties: { ...ours('a', 0, 1), isLate: 'true', lateNumber: `${series}.9000000000` },
  },
} as const;
export const foreignReasons = Object.keys(foreign) as (keyof typeof foreign)[];

function propertiesOf(message: Exclude<MadeMessage, MadeForeign>): Record<string, string> {
  const { batchId, isBackfill, requestId } = message;
  const marks: Record<string, string> = {
    ...(isBackfill ? { isBackfill: 'true' } : {}),
    ...(requestId === undefined ? {} : { requestId }),
  };
  if (message.kind === 'late-void') {
    const { numbers, reason } = message;
    const index = streamKinds[batchId]!;
    const lost = { lateNumber: `${series}.${numbers.start}`, lateThrough: `${series}.${numbers.end - 1}` };
    return { batchId, index, ...marks, isLate: 'true', ...lost, void: reason };
  }
  const start = indexOf(batchId, message.window.start);
  const end = indexOf(batchId, message.window.end);
  if (message.kind === 'batch' && message.spelling !== undefined && message.spelling !== 'ours') {
    return sampleProperties(message.spelling, batchId, start, end, isBackfill);
  }
  return {
    ...ours(batchId, start, end),
    ...marks,
    ...(message.kind === 'void' ? { void: message.reason } : contentOf(message)),
    ...(message.kind === 'late' || message.streamStart === undefined
      ? {}
      : { streamStart: String(indexOf(batchId, message.streamStart)) }),
    ...(message.kind === 'late'
      ? { isLate: 'true', lateNumber: `${series}.${message.number}` }
      : message.lateThrough === undefined
        ? {}
        : { lateThrough: `${series}.${message.lateThrough}` }),
  };
}

function contentOf({ readings, part }: MadeContent): Record<string, string> {
  return {
    count: String(readings),
    ...(part === undefined ? {} : { part: `${part.k}/${part.n}` }),
    ...(part?.set === undefined ? {} : { partSet: part.set }),
  };
}

function sampleProperties(
  spelling: Exclude<Spelling, 'ours'>,
  batchId: string,
  start: number,
  end: number,
  isBackfill: boolean,
): Record<string, string> {
  const mark: Record<string, string> = isBackfill ? { isBackfill: 'True' } : {};
  const sevenDigits = (at: number) => new Date(at).toISOString().replace('Z', '0000Z');
  if (spelling === 'sample-1') {
    return { ...mark, batchId, dataWindowStart: sevenDigits(start), dataWindowEnd: sevenDigits(end) };
  }
  if (spelling === 'sample-1-answer') {
    return { ...mark, BatchId: batchId, StartWindow: sevenDigits(start), EndWindow: sevenDigits(end) };
  }
  // Its batchId is another one in each message.
  const perMessage = `7c9e6679-7425-40de-944b-${String(start).padStart(12, '0').slice(-12)}`;
  return {
    ...mark,
    deviceID: batchId,
    batchId: perMessage,
    firstTsInBatch: String(start),
    lastTsInBatch: String(end - 1),
    StartWindow: String(start),
    EndWindow: String(end),
  };
}
