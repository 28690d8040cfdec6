// Classifies a message of an instrument: a record, a refusal, one of no interest, or damaged.
import type { SerialSourceConfig } from './config.ts';
import { toBytes } from './escapes.ts';
import { JoinedRecords } from './joined-records.ts';
import {
  compileLayout,
  type DecodedRecord,
  dumpLayout,
  type LayoutConfig,
  liveLayout,
} from './record-layout.ts';

export type MessageKind =
  | { readonly kind: 'record'; readonly record: DecodedRecord }
  | { readonly kind: 'refusal' }
  /** Of no interest. */
  | { readonly kind: 'other' }
  /** It may have been a record. */
  | { readonly kind: 'damaged'; readonly why: 'serial-unmatched' | 'serial-unplaced' | 'serial-joined' };

export interface MessageReader {
  /** A whole message as it came: each once, in their order. */
  read(content: Buffer): MessageKind;
  /** As `read`, of what may be a part of a message: nothing is remembered. */
  look(content: Buffer): MessageKind;
}

export function liveMessages(config: SerialSourceConfig): MessageReader {
  return compile(config, liveLayout(config), config.checksum !== undefined);
}

export function dumpMessages(config: SerialSourceConfig): MessageReader {
  const checksum = config.history?.checksum ?? config.checksum;
  // Live messages that begin as the records of a dump do may be of no interest; in a dump they are.
  const { startsWith } = config.history ?? {};
  const ignore = config.ignore.filter((prefix) => !startsWith?.startsWith(prefix));
  return compile({ ...config, ignore }, dumpLayout(config), checksum !== undefined && checksum !== 'none');
}

function compile(
  { refusals, ignore }: SerialSourceConfig,
  layout: LayoutConfig,
  isChecked: boolean,
): MessageReader {
  const decode = compileLayout(layout);
  const refused = refusals.map(toBytes);
  const ignored = ignore.map(toBytes);
  const look = (content: Buffer): MessageKind => {
    if (refused.some((prefix) => beginsWith(content, prefix))) return { kind: 'refusal' };
    if (ignored.some((prefix) => beginsWith(content, prefix))) return { kind: 'other' };
    const decoded = decode(content);
    if (decoded.kind === 'record') return { kind: 'record', record: decoded };
    if (decoded.kind === 'unplaced') return { kind: 'damaged', why: 'serial-unplaced' };
    // A sound check sum shows that this is what the instrument meant to say.
    return isChecked ? { kind: 'other' } : { kind: 'damaged', why: 'serial-unmatched' };
  };
  // Where a check sum is sound, the message is one.
  if (isChecked) return { read: look, look };
  const joined = new JoinedRecords(decode, layout.fields);
  return {
    look,
    read(content) {
      const message = look(content);
      if (message.kind !== 'record' || !joined.has(content, message.record)) return message;
      return { kind: 'damaged', why: 'serial-joined' };
    },
  };
}

/**
 * A record hangs on to another message, since the end between them was lost. It would go unseen with that one, where that
 * is an answer. Not where each part of a message looks like a record: then the whole does, too.
 */
export function hidesRecord({ look }: MessageReader, content: Buffer): boolean {
  if (look(content).kind === 'record') return false;
  for (let at = 1; at < content.length; at++) if (look(content.subarray(at)).kind === 'record') return true;
  return false;
}

export function beginsWith(content: Buffer, prefix: Buffer): boolean {
  return content.length >= prefix.length && content.subarray(0, prefix.length).equals(prefix);
}
