// Checks a reading before a window takes it, and estimates its size. wire/ decides what can be encoded; here a reading that
// cannot be is replaced by a marker, so that neither the journal nor a window fails because of it.

import type { Reading } from '../../wire/reading.ts';
import { ReadingRefusedError, readingFault, refusedMarker } from '../../wire/reading-check.ts';
import type { IndexKind } from '../../wire/window.ts';

/**
 * A value larger than this in JSON is refused: it must fit into one message with its properties (262,144
 * bytes), whatever the encoding makes of it.
 */
export const maxValueBytes = 192 * 1024;

export interface Intake {
  /** As it was, or a marker without value whose quality names the cause. */
  readonly reading: Reading;
  /** Estimated size in plain JSON. */
  readonly bytes: number;
  readonly refused: boolean;
}

// Quotes, names and separators around one reading in the plain body.
const frameBytes = 44;

/** `reading.index` must be valid. */
export function takeIn(kind: IndexKind, reading: Reading): Intake {
  const { value } = reading;
  // The common case first: this runs hundreds of thousands of times a second.
  if (typeof value === 'number' && reading.quality === 'good' && Number.isFinite(value)) {
    if (typeof reading.tag === 'string' && reading.tag.length <= 64) {
      return { reading, bytes: frameBytes + reading.tag.length + 12, refused: false };
    }
  }
  const fault = readingFault(kind, reading);
  if (fault !== undefined) return refuse('wire-bad-reading', fault, reading);
  if (typeof value === 'string' && value.length * 6 <= maxValueBytes) {
    return { reading, bytes: frameBytes + reading.tag.length + value.length + 2, refused: false };
  }
  return takeInLarge(reading);
}

// Text that may be too long, arrays and objects: measured, and copied, so that what a source changes
// later does not change what a window promises.
function takeInLarge(reading: Reading): Intake {
  const text = JSON.stringify(reading.value);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxValueBytes) {
    return refuse('wire-reading-too-large', `its value takes ${bytes} bytes`, reading);
  }
  const copy = typeof reading.value === 'object' ? { ...reading, value: JSON.parse(text) } : reading;
  return { reading: copy, bytes: frameBytes + reading.tag.length + bytes, refused: false };
}

function refuse(code: string, fault: string, reading: Reading): Intake {
  const marker = refusedMarker(reading, new ReadingRefusedError(code, fault, reading, 0));
  return { reading: marker, bytes: frameBytes + marker.tag.length + 4, refused: true };
}
