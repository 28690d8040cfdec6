// One log line on its way through repeat suppression, the buffer of recent lines, and formatting.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface LogEntry {
  readonly level: LogLevel;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly msg: string;
  /** Everything else that was said with it. */
  readonly [field: string]: unknown;
}
