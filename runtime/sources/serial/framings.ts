// The framings of instruments, by how a message begins and ends; each becomes a scanner.

import type { FramingConfig } from './config.ts';
import { toBytes } from './escapes.ts';
import { type Found, type FrameScanner, garbage, needMore } from './frame-scanner.ts';

const lf = 10;

type Valid = (frame: Buffer) => boolean;
type Kind<K extends FramingConfig['kind']> = Extract<FramingConfig, { kind: K }>;

/**
 * `isValid` is the check sum's; `isChecked` whether there is one; `between`: bytes that mean nothing between messages; `ignored`:
 * how lines begin that may stand amid a message as well, where its check sum shows that they do.
 */
export function compileFraming(
  config: FramingConfig,
  isValid: Valid,
  isChecked: boolean,
  between: Uint8Array = new Uint8Array(),
  ignored: readonly Buffer[] = [],
): FrameScanner {
  switch (config.kind) {
    case 'delimiter':
      return delimited(config, isValid, between);
    case 'fixed':
      return fixed(config, isValid, isChecked);
    case 'start-end':
      return startEnd(config, isValid, isChecked, ignored);
    case 'length-field':
      return lengthField(config, isValid, isChecked);
    case 'silence':
      return bySilence(config, isValid);
  }
}

/** A message ends with certain bytes. After a loss, the next end is the edge. */
function delimited(
  { end, maxBytes, gapMs }: Kind<'delimiter'>,
  isValid: Valid,
  between: Uint8Array,
): FrameScanner {
  const mark = toBytes(end);
  return {
    isValid,
    findsEdges: true,
    maxBytes,
    gapMs,
    next(bytes, isLost, isSilent) {
      const at = bytes.indexOf(mark);
      if (at > maxBytes || (at < 0 && bytes.length > maxBytes + mark.length)) {
        // What may be the beginning of the mark stays.
        const used = at >= 0 ? at : bytes.length - mark.length + 1;
        return garbage(used, 'too-long', true);
      }
      if (at < 0) return isSilent ? cut(bytes) : needMore;
      const used = at + mark.length;
      if (isLost) return garbage(used, 'noise', false);
      let from = 0;
      while (from < at && between.includes(bytes[from]!)) from += 1;
      if (at > from && !isValid(bytes.subarray(from, at))) return garbage(used, 'checksum', false);
      return { kind: 'frame', from, to: at, contentFrom: from, contentTo: at, used };
    },
  };
}

/** All messages are equally long, and perhaps begin with certain bytes. */
function fixed({ length, start, gapMs }: Kind<'fixed'>, isValid: Valid, isChecked: boolean): FrameScanner {
  const mark = toBytes(start ?? '');
  const findsEdges = isChecked || mark.length > 0;
  return {
    isValid,
    findsEdges,
    maxBytes: length,
    gapMs,
    next: (bytes, isLost, isSilent) => {
      if (isLost && !findsEdges) return isSilent ? silentAgain(bytes) : lostUntilSilence(bytes);
      return (
        beforeMark(bytes, [mark], isSilent) ??
        (bytes.length < length ? unfinished(bytes, isSilent) : block(bytes, length, isValid))
      );
    },
  };
}

/** A field says how long the message is. */
function lengthField(config: Kind<'length-field'>, isValid: Valid, isChecked: boolean): FrameScanner {
  const { start, offset, size, form, add, maxBytes, gapMs } = config;
  const mark = toBytes(start ?? '');
  const findsEdges = isChecked || mark.length > 0;
  const smallest = Math.max(offset + size, mark.length, 1);
  return {
    isValid,
    findsEdges,
    maxBytes,
    gapMs,
    next: (bytes, isLost, isSilent) => {
      if (isLost && !findsEdges) return isSilent ? silentAgain(bytes) : lostUntilSilence(bytes);
      const noise = beforeMark(bytes, [mark], isSilent);
      if (noise) return noise;
      if (bytes.length < offset + size) return unfinished(bytes, isSilent);
      const length = readLength(bytes, offset, size, form) + add;
      // Also NaN, where a digit is none. Without anything to look for, the place of the next message is not known.
      if (!(length >= smallest && length <= maxBytes)) return garbage(1, 'noise', true);
      return bytes.length < length ? unfinished(bytes, isSilent) : block(bytes, length, isValid);
    },
  };
}

function readLength(bytes: Buffer, at: number, size: number, form: Kind<'length-field'>['form']): number {
  if (form === 'big') return bytes.readUIntBE(at, size);
  if (form === 'little') return bytes.readUIntLE(at, size);
  const text = bytes.toString('latin1', at, at + size);
  const digits = form === 'hex' ? /^[0-9a-fA-F]+$/ : /^ *\d+$/;
  return digits.test(text) ? Number.parseInt(text, form === 'hex' ? 16 : 10) : Number.NaN;
}

/**
 * A message stands between certain bytes, and perhaps some follow the end (a check sum). A beginning within what
 * looked like a message shows that the first was cut off: with a check sum each is tried in turn, without one the last
 * beginning before the end counts.
 */
function startEnd(
  config: Kind<'start-end'>,
  isValid: Valid,
  isChecked: boolean,
  ignored: readonly Buffer[],
): FrameScanner {
  const { trailer, maxBytes, gapMs } = config;
  const starts = [config.start].flat().map(toBytes);
  const end = toBytes(config.end);
  return {
    isValid,
    findsEdges: true,
    maxBytes,
    gapMs,
    next(bytes, _isLost, isSilent) {
      const noise = beforeMark(bytes, starts, isSilent);
      if (noise) return noise;
      const start = starts.find((each) => startsWith(bytes, each))!;
      const endAt = bytes.indexOf(end, start.length);
      const to = endAt + end.length + trailer;
      const isTooLong = endAt >= 0 ? to > maxBytes : bytes.length > maxBytes;
      if (isTooLong) return garbage(nextMark(bytes, starts), 'too-long', true);
      if (endAt < 0 || bytes.length < to) return unfinished(bytes, isSilent);
      const last = Math.max(...starts.map((each) => bytes.lastIndexOf(each, endAt - each.length)));
      if (!isChecked && last > 0) return garbage(last, 'cut', false);
      const frame = { kind: 'frame', from: 0, contentFrom: start.length, used: to } as const;
      if (isValid(bytes.subarray(0, to))) return { ...frame, to, contentTo: endAt };
      const own = withoutLines(bytes.subarray(0, to), ignored, endAt);
      const left = own.length - to;
      if (left < 0 && isValid(own)) return { ...frame, to: own.length, contentTo: endAt + left, bytes: own };
      return garbage(Math.min(nextMark(bytes, starts), to), 'checksum', true);
    },
  };
}

/** Without the lines, each to its line feed, that begin with one of `prefixes` before `before`. */
function withoutLines(frame: Buffer, prefixes: readonly Buffer[], before: number): Buffer {
  const kept: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < before; at++) {
    if (!prefixes.some((prefix) => startsWith(frame.subarray(at), prefix))) continue;
    const lineEnd = frame.indexOf(lf, at);
    if (lineEnd < 0 || lineEnd >= before) break;
    kept.push(frame.subarray(from, at));
    from = lineEnd + 1;
    at = lineEnd;
  }
  return kept.length === 0 ? frame : Buffer.concat([...kept, frame.subarray(from)]);
}

function startsWith(bytes: Buffer, mark: Buffer): boolean {
  return bytes.length >= mark.length && bytes.compare(mark, 0, mark.length, 0, mark.length) === 0;
}

/** A message is what comes without a pause. */
function bySilence({ maxBytes, gapMs }: Kind<'silence'>, isValid: Valid): FrameScanner {
  return {
    isValid,
    findsEdges: false,
    maxBytes,
    gapMs,
    next(bytes, isLost, isSilent) {
      if (isLost) return isSilent ? silentAgain(bytes) : lostUntilSilence(bytes);
      if (bytes.length > maxBytes) return garbage(bytes.length, 'too-long', true);
      if (!isSilent || bytes.length === 0) return needMore;
      if (!isValid(bytes)) return garbage(bytes.length, 'checksum', false);
      const to = bytes.length;
      return { kind: 'frame', from: 0, to, contentFrom: 0, contentTo: to, used: to };
    },
  };
}

function block(bytes: Buffer, length: number, isValid: Valid): Found {
  // The next beginning may lie within what only looked like a frame.
  if (!isValid(bytes.subarray(0, length))) return garbage(1, 'checksum', true);
  return { kind: 'frame', from: 0, to: length, contentFrom: 0, contentTo: length, used: length };
}

/** Noise before the bytes that each message begins with, one of `marks`; undefined where there is none. */
function beforeMark(bytes: Buffer, marks: readonly Buffer[], isSilent: boolean): Found | undefined {
  if (bytes.length === 0) return needMore;
  if (marks.some((mark) => mark.length === 0)) return undefined;
  const at = firstMark(bytes, marks, 0);
  if (at === 0) return undefined;
  if (at > 0) return garbage(at, 'noise', true);
  const kept = isSilent ? 0 : Math.max(...marks.map((mark) => partOfMark(bytes, mark)));
  return kept === bytes.length ? needMore : garbage(bytes.length - kept, 'noise', true);
}

/** Bytes at the end that may be the beginning of `mark`. */
function partOfMark(bytes: Buffer, mark: Buffer): number {
  for (let kept = Math.min(mark.length - 1, bytes.length); kept > 0; kept--) {
    if (bytes.subarray(bytes.length - kept).equals(mark.subarray(0, kept))) return kept;
  }
  return 0;
}

/** Where the next beginning is, or may be, after the one at 0. */
function nextMark(bytes: Buffer, marks: readonly Buffer[]): number {
  const at = firstMark(bytes, marks, 1);
  const longest = Math.max(...marks.map(({ length }) => length));
  return at >= 0 ? at : Math.max(1, bytes.length - longest + 1);
}

function firstMark(bytes: Buffer, marks: readonly Buffer[], from: number): number {
  const found = marks.map((mark) => bytes.indexOf(mark, from)).filter((at) => at >= 0);
  return found.length === 0 ? -1 : Math.min(...found);
}

/** A frame that was begun: the line went silent, so it will not be finished. */
function unfinished(bytes: Buffer, isSilent: boolean): Found {
  return isSilent && bytes.length > 0 ? garbage(1, 'cut', true) : needMore;
}

function cut(bytes: Buffer): Found {
  return bytes.length > 0 ? garbage(bytes.length, 'cut', false) : needMore;
}

function lostUntilSilence(bytes: Buffer): Found {
  return bytes.length > 0 ? garbage(bytes.length, 'noise', true) : needMore;
}

function silentAgain(bytes: Buffer): Found {
  return bytes.length > 0 ? garbage(bytes.length, 'noise', false) : needMore;
}
