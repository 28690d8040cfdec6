// The last log lines, for the status page and the bundle: a person who stands at the gateway often has no other access to
// them.
import type { LogEntry } from './log-entry.ts';

export interface RecentLog {
  add(entry: LogEntry): void;
  /** The oldest first. */
  lines(): readonly LogEntry[];
}

const maxTextChars = 1000;
const maxFields = 30;

export function createRecentLog(maxLines = 300): RecentLog {
  const kept: LogEntry[] = [];
  return {
    add(entry) {
      const { stack: _, ...rest } = entry;
      const fields = Object.entries(rest).slice(0, maxFields);
      kept.push(Object.fromEntries(fields.map(([name, value]) => [name, cut(value)])) as unknown as LogEntry);
      if (kept.length > maxLines) kept.shift();
    },
    lines: () => [...kept],
  };
}

/** Large things are kept as the beginning of their text, cut between words: half a secret would not be known for one. */
function cut(value: unknown): unknown {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  if (text.length <= maxTextChars) return value;
  return `${text.slice(0, maxTextChars).replace(/[^\s"',;&]*$/, '')}...`;
}
