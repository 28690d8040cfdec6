// The data that page and terminal show: the status, what is wrong in words, the last value of each tag, the last log lines.
// Bounded, since equipment may have ten thousand tags and values of any size.
import { cutText, plainLine } from '../../kernel/text.ts';
import { formatIndex } from '../../wire/index-position.ts';
import type { Reading } from '../../wire/reading.ts';
import type { IndexKind } from '../../wire/window.ts';
import type { LogEntry } from './log-entry.ts';
import type { Trouble } from './troubles.ts';

export interface ShownValue {
  readonly tag: string;
  /** As text, cut. */
  readonly value: string;
  readonly quality: string;
  /** ISO time, or record number. */
  readonly at: string;
}

export interface ShownSource {
  readonly name: string;
  readonly values: readonly ShownValue[];
  /** Tags that are not listed. */
  readonly more: number;
}

export interface Overview {
  readonly status: Record<string, unknown>;
  readonly troubles: readonly Trouble[];
  readonly notReady: readonly string[];
  /** How long the room lasts without a network. */
  readonly fullInSeconds: number | null;
  readonly sources: readonly ShownSource[];
  readonly log: readonly LogEntry[];
}

const maxValues = 2000;
const maxOfOne = 200;
const maxValueChars = 80;
export const maxShownLines = 100;
/** Sources, streams, rules: whoever stands before the gateway sees all of a large site. */
export const maxShownEntries = 5000;

export function shownSources(
  sources: readonly {
    readonly name: string;
    readonly index: IndexKind;
    readonly values: readonly Reading[];
    /** What makes wall-clock time of their index: the gateway stamps with the time since its machine started. */
    readonly offsetMs?: number;
  }[],
): readonly ShownSource[] {
  let left = maxValues;
  return sources.map(({ name, index, values, offsetMs = 0 }) => {
    const listed = values.slice(0, Math.min(left, maxOfOne));
    left -= listed.length;
    return {
      name,
      values: listed.map((reading) => shown(index, reading, offsetMs)),
      more: values.length - listed.length,
    };
  });
}

function shown(index: IndexKind, { tag, value, quality, index: at }: Reading, offsetMs: number): ShownValue {
  return {
    tag: cut(tag),
    value: cut(valueText(value)),
    quality,
    at: formatIndex(index, Math.round(at + offsetMs)),
  };
}

/** Digits that single precision does not have are noise to whoever compares with a display. */
function valueText(value: Reading['value']): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(9)));
  return JSON.stringify(value) ?? 'null';
}

function cut(text: string): string {
  return plainLine(
    text.length > maxValueChars ? `${cutText(text, maxValueChars)}...` : cutText(text, maxValueChars),
  );
}
