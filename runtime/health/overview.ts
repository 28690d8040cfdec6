// The data that page and terminal show: the status, what is wrong in words, the last value of each tag, the last log lines.
// Bounded, since equipment may have ten thousand tags and values of any size.
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

export function shownSources(
  sources: readonly {
    readonly name: string;
    readonly index: IndexKind;
    readonly values: readonly Reading[];
  }[],
): readonly ShownSource[] {
  let left = maxValues;
  return sources.map(({ name, index, values }) => {
    const listed = values.slice(0, Math.min(left, maxOfOne));
    left -= listed.length;
    return {
      name,
      values: listed.map((reading) => shown(index, reading)),
      more: values.length - listed.length,
    };
  });
}

function shown(index: IndexKind, { tag, value, quality, index: at }: Reading): ShownValue {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null');
  return {
    tag: cut(tag),
    value: cut(text),
    quality,
    at: formatIndex(index, at),
  };
}

function cut(text: string): string {
  return text.length > maxValueChars ? `${text.slice(0, maxValueChars)}...` : text;
}
