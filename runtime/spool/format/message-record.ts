// Payloads of the records around one message: the message itself (`M`), its entry in the index by
// stream and range (`I`), and a lane's pointer to it (`P`).
import { HoldfastError } from '../../../kernel/errors.ts';
import { formatLateNumber, type LateNumber, parseLateNumber } from '../../../wire/late.ts';
import type { BackfillMark, VoidReason, WireMessage } from '../../../wire/mini-batch.ts';
import type { Window } from '../../../wire/window.ts';

/**
 * What one message takes on the disk beyond its bytes as sent, about: the head, keys, envelopes, entries in
 * the index and in a lane. Matters where windows are small and many.
 */
export const storedOverheadBytes = 400;

/** The header of a stored message, which is not sent. */
export interface MessageHeader {
  readonly stream: number;
  /** `noWindow` of a declaration that late windows are lost. */
  readonly window: Window;
  /** Id of the window's first part, and how many parts there are. */
  readonly first: number;
  readonly parts: number;
  readonly void?: VoidReason;
  /** The number of a late window. */
  readonly late?: LateNumber;
  /** Read again from the equipment's history, to answer a request. */
  readonly answer?: true;
  readonly storedAt: number;
}

export const noWindow: Window = { start: 0, end: 0 };

export function hasWindow({ start, end }: Window): boolean {
  return end > start;
}

export interface StoredMessage {
  readonly header: MessageHeader;
  /** Without mark: what an entry in a lane adds. */
  readonly message: WireMessage;
}

/** u32 length of the JSON head, the head, the body as it is sent. */
export function encodeMessage(stored: StoredMessage): Uint8Array {
  const { message, header } = stored;
  const head = Buffer.from(
    JSON.stringify({
      stream: header.stream,
      window: [header.window.start, header.window.end],
      first: header.first,
      parts: header.parts,
      void: header.void,
      late: header.late && formatLateNumber(header.late),
      answer: header.answer,
      storedAt: header.storedAt,
      messageId: message.messageId,
      properties: message.properties,
      contentEncoding: message.contentEncoding,
      creationTime: message.creationTime,
    }),
  );
  const payload = Buffer.allocUnsafe(4 + head.byteLength + message.body.byteLength);
  payload.writeUInt32BE(head.byteLength, 0);
  payload.set(head, 4);
  payload.set(message.body, 4 + head.byteLength);
  return payload;
}

interface MessageHead {
  stream: number;
  window: [number, number];
  first: number;
  parts: number;
  void?: VoidReason;
  late?: string;
  answer?: true;
  storedAt: number;
  messageId: string;
  properties: Record<string, string>;
  contentEncoding: 'utf-8' | 'gzip';
  creationTime: number;
}

/** @throws HoldfastError `spool-record-damaged`. */
export function decodeMessage(payload: Buffer): StoredMessage {
  const head = readHead(payload);
  const late = parseLateNumber(head.late);
  return {
    header: {
      stream: head.stream,
      window: { start: head.window[0], end: head.window[1] },
      first: head.first,
      parts: head.parts,
      ...(head.void === undefined ? {} : { void: head.void }),
      ...(late === undefined ? {} : { late }),
      ...(head.answer === undefined ? {} : { answer: head.answer }),
      storedAt: head.storedAt,
    },
    message: {
      messageId: head.messageId,
      properties: head.properties,
      contentEncoding: head.contentEncoding,
      creationTime: head.creationTime,
      body: payload.subarray(4 + payload.readUInt32BE(0)),
    },
  };
}

function readHead(payload: Buffer): MessageHead {
  try {
    const length = payload.readUInt32BE(0);
    if (length > payload.byteLength - 4) throw new RangeError('head is longer than the record');
    return JSON.parse(payload.toString('utf8', 4, 4 + length)) as MessageHead;
  } catch (cause) {
    throw new HoldfastError('spool-record-damaged', 'a message record does not parse', { cause });
  }
}

/** The entry in the index by stream and range: what its key does not say. */
export interface IndexEntry {
  readonly end: number;
  readonly parts: number;
  readonly void?: VoidReason;
  /** A late window, which claims nothing. */
  readonly late?: true;
  readonly answer?: true;
}

const lateMark = 'late';
const answerMark = 'answer';

/** f64 end, u16 parts, then the reason of a void, or `late`, or `answer` (else nothing). */
export function encodeIndexEntry(entry: IndexEntry): Uint8Array {
  const reason = Buffer.from(markTextOf(entry), 'latin1');
  const payload = Buffer.allocUnsafe(10 + reason.byteLength);
  payload.writeDoubleBE(entry.end, 0);
  payload.writeUInt16BE(entry.parts, 8);
  payload.set(reason, 10);
  return payload;
}

function markTextOf({ late, answer, void: reason }: IndexEntry): string {
  if (late) return lateMark;
  return answer ? answerMark : (reason ?? '');
}

/** @throws HoldfastError `spool-record-damaged`. */
export function decodeIndexEntry(payload: Buffer): IndexEntry {
  if (payload.byteLength < 10) throw new HoldfastError('spool-record-damaged', 'an index entry is cut short');
  const reason = payload.toString('latin1', 10);
  return {
    end: payload.readDoubleBE(0),
    parts: payload.readUInt16BE(8),
    ...meaningOf(reason),
  };
}

function meaningOf(mark: string): Pick<IndexEntry, 'void' | 'late' | 'answer'> {
  if (mark === '') return {};
  if (mark === lateMark) return { late: true };
  return mark === answerMark ? { answer: true } : { void: mark as VoidReason };
}

/** The entry in the order of storing: all that retention needs to remove a window without reading it. */
export interface StoredEntry {
  readonly stream: number;
  readonly window: Window;
  readonly parts: number;
  /** Size of all parts, as stored. */
  readonly bytes: number;
  /** Wall clock, epoch ms. */
  readonly storedAt: number;
  readonly void: boolean;
  readonly late?: LateNumber;
}

const storedEntryBytes = 33;

/** u32 stream, f64 start, f64 end, u16 parts, u32 bytes, u48 storedAt, u8 1 for a void, then the late number as text. */
export function encodeStoredEntry(entry: StoredEntry): Uint8Array {
  const late = Buffer.from(entry.late === undefined ? '' : formatLateNumber(entry.late), 'latin1');
  const payload = Buffer.allocUnsafe(storedEntryBytes + late.byteLength);
  payload.set(late, storedEntryBytes);
  payload.writeUInt32BE(entry.stream, 0);
  payload.writeDoubleBE(entry.window.start, 4);
  payload.writeDoubleBE(entry.window.end, 12);
  payload.writeUInt16BE(entry.parts, 20);
  payload.writeUInt32BE(entry.bytes, 22);
  payload.writeUIntBE(entry.storedAt, 26, 6);
  payload[32] = entry.void ? 1 : 0;
  return payload;
}

/** @throws HoldfastError `spool-record-damaged`. */
export function decodeStoredEntry(payload: Buffer): StoredEntry {
  const text = payload.toString('latin1', storedEntryBytes);
  const late = parseLateNumber(text);
  if (payload.byteLength < storedEntryBytes || (text !== '' && late === undefined)) {
    throw new HoldfastError('spool-record-damaged', 'an entry of the stored windows has the wrong length');
  }
  return {
    stream: payload.readUInt32BE(0),
    window: { start: payload.readDoubleBE(4), end: payload.readDoubleBE(12) },
    parts: payload.readUInt16BE(20),
    bytes: payload.readUInt32BE(22),
    storedAt: payload.readUIntBE(26, 6),
    void: payload[32] === 1,
    ...(late === undefined ? {} : { late }),
  };
}

/** An entry in a lane. */
export interface Pointer {
  /** Id of the message: key `r`. */
  readonly id: number;
  /** As sent, properties and mark included. */
  readonly bytes: number;
  readonly queuedAt: number;
  readonly mark?: BackfillMark;
  /** The message is not handed out before the hub has confirmed: see lanes/withheld.ts. */
  readonly withheld?: true;
}

const marks = { none: 0, plain: 1, request: 2, withheld: 3 } as const;

function markOf({ mark, withheld }: Pointer): number {
  if (withheld) return marks.withheld;
  if (mark === undefined) return marks.none;
  return mark.requestId === undefined ? marks.plain : marks.request;
}

/**
 * u48 id, u32 bytes, u48 queuedAt, u8 mark (0 none, 1 marked without a requestId, 2 marked with a requestId, which follows, 3 none, withheld).
 */
export function encodePointer(pointer: Pointer): Uint8Array {
  const requestId = Buffer.from(pointer.mark?.requestId ?? '', 'utf8');
  const payload = Buffer.allocUnsafe(17 + requestId.byteLength);
  payload.writeUIntBE(pointer.id, 0, 6);
  payload.writeUInt32BE(pointer.bytes, 6);
  payload.writeUIntBE(pointer.queuedAt, 10, 6);
  payload[16] = markOf(pointer);
  payload.set(requestId, 17);
  return payload;
}

/** @throws HoldfastError `spool-record-damaged`. */
export function decodePointer(payload: Buffer): Pointer {
  if (payload.byteLength < 17) throw new HoldfastError('spool-record-damaged', 'a pointer is cut short');
  const requestId = payload.toString('utf8', 17);
  return {
    id: payload.readUIntBE(0, 6),
    bytes: payload.readUInt32BE(6),
    queuedAt: payload.readUIntBE(10, 6),
    ...(payload[16] === marks.plain
      ? { mark: {} }
      : payload[16] === marks.request
        ? { mark: { requestId } }
        : {}),
    ...(payload[16] === marks.withheld ? { withheld: true } : {}),
  };
}
