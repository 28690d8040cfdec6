// The log of the detector and of the lab's hub, in the form that the module's has (runtime/health/pino-log.ts): JSON on
// standard error with the level as a word and times that people can read.
import { pino } from 'pino';
import { errorOutput } from './error-output.ts';
import type { Log } from './log.ts';
import { withReadableTimes } from './readable-times.ts';

export interface ProcessLog extends Log {
  /** For this log and all of its children. */
  setLevel(level: string): void;
}

/**
 * Standard output belongs to what a command prints. Each line is written at once: a process logs a few lines a minute, not
 * thousands a second. `base` stands in each line.
 */
export function createProcessLog(level: string, base: Readonly<Record<string, string>> = {}): ProcessLog {
  let threshold = levelValue(level);
  const logger = pino(
    {
      // Children keep the level that they were made with: the one that may change is asked at each line.
      level: 'trace',
      hooks: {
        logMethod(args, method, value) {
          if (value >= threshold) method.apply(this, args);
        },
      },
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
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
    errorOutput,
  );
  return Object.assign(logger as unknown as Log, {
    setLevel: (next: string) => {
      threshold = levelValue(next);
    },
  });
}

function levelValue(level: string): number {
  return pino.levels.values[level] ?? pino.levels.values.info!;
}
