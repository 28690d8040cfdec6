// Parses untrusted JSON. JSON.parse itself withstands any text, but a small text can unfold into much memory
// (`[[],[],...`), so the structure is counted before it is built.
import { HoldfastError } from '../kernel/errors.ts';
import { maxBodyNodes, maxReadingsPerMessage, maxUnpackedBytes, maxValueDepth } from './limits.ts';

// Both body formats spend less than 16 elements on a reading beside its value, and 4 levels around it.
const maxElements = maxBodyNodes + 16 * maxReadingsPerMessage;
const maxDepth = maxValueDepth + 4;

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws HoldfastError `wire-bad-body` for what is too large, no UTF-8, or no JSON. */
export function parseBoundedJson(bytes: Uint8Array): unknown {
  if (bytes.length > maxUnpackedBytes) throw badJson(`longer than ${maxUnpackedBytes} bytes`);
  checkStructure(bytes);
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw badJson('not JSON in UTF-8', error);
  }
}

/** Counts brackets and commas outside of strings. Malformed text may pass: JSON.parse will refuse it. */
function checkStructure(bytes: Uint8Array): void {
  let elements = 0;
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === quote) i = skipString(bytes, i);
    else if (byte === comma) elements++;
    // 0x5b [ and 0x7b {; 0x5d ] and 0x7d }: they differ in one bit.
    else if ((byte | 0x20) === 0x7b) {
      elements++;
      if (++depth > maxDepth) throw badJson('nested too deep');
    } else if ((byte | 0x20) === 0x7d) depth--;
    if (elements > maxElements) throw badJson('too many elements');
  }
}

function skipString(bytes: Uint8Array, opening: number): number {
  let i = opening + 1;
  while (i < bytes.length && bytes[i] !== quote) i += bytes[i] === backslash ? 2 : 1;
  return i;
}

function badJson(problem: string, cause?: unknown): HoldfastError {
  return new HoldfastError('wire-bad-body', `bad message body: ${problem}`, { cause });
}
