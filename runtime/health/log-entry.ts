// One line of the log as it passes through repetition, memory and format on its way out.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface LogEntry {
  readonly level: LogLevel;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly msg: string;
  /** Everything else that was said with it. */
  readonly [field: string]: unknown;
}
