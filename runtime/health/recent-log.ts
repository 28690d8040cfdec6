// The last lines of the log, for the status page and the bundle: who stands before the gateway has no other way to them.
import type { LogEntry } from './log-entry.ts';

export interface RecentLog {
  add(entry: LogEntry): void;
  /** The oldest first. */
  lines(): readonly LogEntry[];
}

const maxTextChars = 1000;

export function createRecentLog(maxLines = 300): RecentLog {
  const kept: LogEntry[] = [];
  return {
    add(entry) {
      const { stack: _, ...rest } = entry;
      kept.push({ ...(rest as LogEntry), msg: entry.msg.slice(0, maxTextChars) });
      if (kept.length > maxLines) kept.shift();
    },
    lines: () => [...kept],
  };
}
