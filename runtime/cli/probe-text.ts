// Prints the results of a probe, for people and for programs.
import type { Value } from '../../wire/reading.ts';
import type { ProbedTag, RawValue } from '../sources/probe.ts';
import type { ProbedSource } from './probe-source.ts';
import { type Column, formatTime, printable, tableLines } from './spool-text.ts';

const maxCell = 48;

/** One source: a heading, then a line a tag, then why it ended early, if it did. */
export function describeProbed({ name, type, wanted = 0, tags, tookMs, failure }: ProbedSource): string {
  const good = tags.filter(({ quality }) => quality === 'good').length;
  const unread = failure ? Math.max(0, wanted - tags.length) : 0;
  const rest = unread > 0 ? `, ${unread} not read` : '';
  const said = tags.length === 0 ? 'nothing was read' : `${good} of ${tags.length + unread} good${rest}`;
  const lines = [`${name} (${type}): ${said}, ${formatMs(tookMs)}`];
  if (tags.length > 0) lines.push(...table(tags));
  if (failure) lines.push(`  ${failure.code}: ${printable(failure.message)}`);
  return lines.join('\n');
}

const columns: readonly Column[] = [
  { title: 'tag' },
  { title: 'value', right: true },
  { title: 'quality' },
  { title: 'took', right: true },
  { title: 'from' },
  { title: 'raw' },
  { title: 'time' },
];

/** Columns that nothing fills are left out; a problem stands below its tag. */
function table(tags: readonly ProbedTag[]): string[] {
  const rows = tags.map(cellsOf);
  const isUsed = columns.map((_, at) => rows.some((cells) => cells[at] !== ''));
  const used = (cells: readonly string[]) => cells.filter((_, at) => isUsed[at]);
  const [heading, ...lines] = tableLines(
    columns.filter((_, at) => isUsed[at]),
    rows.map(used),
  );
  return [
    `  ${heading}`,
    ...lines.flatMap((line, at) => {
      const { problem } = tags[at]!;
      return [`  ${line}`, ...(problem === undefined ? [] : [`    ^ ${printable(problem)}`])];
    }),
  ];
}

function cellsOf({ tag, value, quality, tookMs, place, raw, timestamp }: ProbedTag): string[] {
  return [
    clip(printable(tag)),
    clip(showValue(value)),
    quality,
    formatMs(tookMs),
    clip(printable(place)),
    raw ? clip(showRaw(raw)) : '',
    timestamp === undefined ? '' : formatTime(timestamp),
  ];
}

function showValue(value: Value): string {
  return printable(JSON.stringify(value));
}

/** Registers in hexadecimal, as manuals have them. */
export function showRaw(raw: RawValue): string {
  switch (raw.kind) {
    case 'registers':
      return raw.registers.map((register) => register.toString(16).padStart(4, '0')).join(' ');
    case 'bits':
      return raw.bits.map(Number).join('');
    case 'bytes':
      return `${hex(raw.bytes)}${raw.length > raw.bytes.length ? ` ... (${raw.length} bytes)` : ''}`;
    case 'text':
      return printable(raw.text);
  }
}

export function probedJson(probed: ProbedSource): object {
  return {
    source: probed.name,
    type: probed.type,
    tookMs: round(probed.tookMs),
    tags: probed.tags.map(({ tookMs, timestamp, raw, ...tag }) => ({
      ...tag,
      tookMs: round(tookMs),
      ...(timestamp !== undefined && { timestamp: formatTime(timestamp) }),
      ...(raw && { raw: raw.kind === 'bytes' ? { ...raw, bytes: hex(raw.bytes) } : raw }),
    })),
    ...(probed.failure && { failure: probed.failure }),
  };
}

function clip(text: string): string {
  return text.length <= maxCell ? text : `${text.slice(0, maxCell - 3)}...`;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function formatMs(ms: number): string {
  return `${ms < 100 ? round(ms) : Math.round(ms)} ms`;
}
