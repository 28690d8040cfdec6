// The failures of an instrument: it refused, it did not answer or talk in time, its message made no sense, or the line
// broke.
import { HoldfastError } from '../../../kernel/errors.ts';
import { showBytes } from './escapes.ts';
import { type LineKind, lookOf } from './line-advice.ts';

export const connectFailedCode = 'serial-connect-failed';

/** `worstMs`: the longest that an answer took so far, late ones included. */
export function timedOut(command: Buffer, limitMs: number, worstMs = 0): HoldfastError {
  const why =
    worstMs > limitMs
      ? `it answers late, after up to ${Math.ceil(worstMs)} ms: set timeoutMs above that`
      : 'is the instrument on, are line settings and command right?';
  const message = `${showBytes(command)} got no answer within ${limitMs} ms: ${why}`;
  return new HoldfastError('serial-timeout', message, { retryable: true });
}

export interface HeardBytes {
  /** Bytes outside of messages, or of damaged ones. */
  readonly garbage: number;
  /** Whole messages without a record, and their bytes. */
  readonly messages: number;
  readonly messageBytes: number;
  /** Bytes of a message that has no end yet. */
  readonly kept: number;
  /** What came last. */
  readonly recent: Uint8Array;
  readonly kind: LineKind;
}

/** For people: what came that made no record, why it did not, and the last of it; undefined where nothing came. */
export function heardText(heard: HeardBytes): string | undefined {
  const { garbage, messages, messageBytes, kept, recent, kind } = heard;
  const bytes = garbage + messageBytes + kept;
  if (bytes === 0) return undefined;
  const why = [
    ...(messages > 0
      ? [
          `${messages} whole messages had none of the tags, or begin otherwise than those that are read (fields, startsWith, ignore)`,
        ]
      : []),
    ...(garbage > 0 ? [`${garbage} bytes made no message (framing, checksum, line settings)`] : []),
    ...(kept > 0 ? [`${kept} bytes wait for the end of a message (framing)`] : []),
  ];
  return `${bytes} bytes came, and no message with a tag was in them: ${why.join('; ')}; the last of them: ${lookOf(recent, kind)}`;
}

/** `heard`: of `heardText`. */
export function unread(what: string, heard: string): HoldfastError {
  const message = `${what.replace(/: is the instrument on.*$/, '').replace(/^nothing came/, 'no message came')}: ${heard}`;
  return new HoldfastError('serial-garbage', message, { retryable: true });
}

/** `recent`: what came last. */
export function garbled(what: string, bytes: number, recent: Uint8Array, kind: LineKind): HoldfastError {
  return notRead(
    what,
    `${bytes} bytes came, and no message was in them: check line settings, framing and checksum`,
    recent,
    kind,
  );
}

/** Whole messages came, and none that has the tags. */
export function unmatched(what: string, recent: Uint8Array, kind: LineKind): HoldfastError {
  return notRead(
    what,
    'whole messages came, and none had the tags: check fields and startsWith',
    recent,
    kind,
  );
}

function notRead(what: string, why: string, recent: Uint8Array, kind: LineKind): HoldfastError {
  const message = `${what.replace(/: is the instrument on.*$/, '')}: ${why}; the last of them: ${lookOf(recent, kind)}`;
  return new HoldfastError('serial-garbage', message, { retryable: true });
}

/** The instrument understood the line, and answered that it will not do what was asked. */
export function refused(command: Buffer, answer: Buffer): HoldfastError {
  const message = `${showBytes(command)} was refused: ${showBytes(answer)}`;
  return new HoldfastError('serial-refused', message, { retryable: true });
}

/** For good: the same command would be refused again. */
export function writeRefused(tag: string, command: Buffer, answer: Buffer): HoldfastError {
  const message = `'${tag}' was not written: ${showBytes(command)} was answered with ${showBytes(answer)}`;
  return new HoldfastError('serial-write-refused', message);
}

export function silent(limitMs: number): HoldfastError {
  const message = `nothing came for ${limitMs} ms (expectEveryMs): is the instrument on and plugged in, are the line settings right?`;
  return new HoldfastError('serial-silent', message, { retryable: true });
}

export function lineLost(peer: string, cause?: unknown): HoldfastError {
  const message = `${peer} is gone: the connection was closed, or the adapter unplugged`;
  return new HoldfastError('serial-connection-lost', message, { retryable: true, cause });
}

export function lineClosed(): HoldfastError {
  return new HoldfastError('serial-closed', 'the line was closed from this side', { retryable: true });
}

/** Bytes come that nobody asked for, without a pause. */
export function lineBusy(limitMs: number): HoldfastError {
  const message = `the line was not silent within ${limitMs} ms, so no command could be sent: does another master ask on it, or the instrument talk by itself (then leave out poll, or stop it)?`;
  return new HoldfastError('serial-line-busy', message, { retryable: true });
}

/** More answers than commands. */
export function outOfStep(command: Buffer): HoldfastError {
  const message = `${showBytes(command)} got several answers, and which one is its own is unknown: does another master poll this line, or does the instrument send by itself (then leave out poll)?`;
  return new HoldfastError('serial-out-of-step', message, { retryable: true });
}

/** The instrument sampled between two commands of a poll. */
export function mixedSamples(attempts: number): HoldfastError {
  const message = `the answers to the commands of a poll were not of one record, ${attempts} times: does the instrument sample as fast as it is asked? Ask for all in one command, or read one command a source`;
  return new HoldfastError('serial-mixed-samples', message, { retryable: true });
}

/** What the memory says proves neither that a range is complete nor that it is gone. */
export function unproven(why: string): HoldfastError {
  const message = `memory dump inconclusive: ${why}; it is read again`;
  return new HoldfastError('serial-history-unproven', message, { retryable: true });
}
