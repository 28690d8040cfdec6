import { pino } from 'pino';
import type { Clock } from '../../kernel/clock.ts';
import { errorOutput } from '../../kernel/error-output.ts';
import type { Log } from '../../kernel/log.ts';
import { withReadableTimes } from '../../kernel/readable-times.ts';
import type { LogEntry } from './log-entry.ts';
import { formatEntry, type LogFormat } from './log-format.ts';
import { createRepeatGate } from './log-repeats.ts';
import { createRecentLog } from './recent-log.ts';

export interface ProcessLog extends Log {
  /** For this log and all of its children. */
  setLevel(level: string): void;
  /** The last lines, the oldest first. */
  recent(): readonly LogEntry[];
  /** Tells what was counted instead of told, before the process ends. */
  flush(): void;
}

/**
 * Lines on standard error: standard output belongs to what a command prints. Each is written at once; a module
 * logs a few lines a minute, not thousands a second, and repetitions are summed up.
 */
export function createProcessLog(
  level: string,
  format: LogFormat,
  clock: Clock,
  output: { write(text: string): void } = errorOutput,
): ProcessLog {
  let threshold = levelValue(level);
  const recent = createRecentLog();
  const gate = createRepeatGate(clock, (entry) => {
    recent.add(entry);
    output.write(`${formatEntry(entry, format)}\n`);
  });
  const logger = pino(
    {
      // Children keep the level that they were made with: the one that may change is asked at each line.
      level: 'debug',
      hooks: {
        logMethod(args, method, value) {
          if (value >= threshold) method.apply(this, args);
        },
      },
      base: null,
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => withReadableTimes(fields) as Record<string, unknown>,
      },
      // Belt and braces: no caller should log these, and none can by accident.
      redact: {
        paths: ['*.connectionString', '*.SharedAccessKey', '*.password', 'token', '*.token'],
        remove: true,
      },
    },
    { write: (line: string) => gate.take(JSON.parse(line) as LogEntry) },
  );
  return Object.assign(logger as unknown as Log, {
    setLevel: (next: string) => {
      threshold = levelValue(next);
    },
    recent: recent.lines,
    flush: gate.flush,
  });
}

function levelValue(level: string): number {
  return pino.levels.values[level] ?? pino.levels.values.info!;
}
