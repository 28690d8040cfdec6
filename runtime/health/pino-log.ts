import { pino } from 'pino';
import { errorOutput } from '../../kernel/error-output.ts';
import type { Log } from '../../kernel/log.ts';

export interface ProcessLog extends Log {
  /** For this log and all of its children. */
  setLevel(level: string): void;
}

/**
 * JSON lines on standard error: standard output belongs to what a command prints. Each is written at once; a module
 * logs a few lines a minute, not thousands a second.
 */
export function createProcessLog(level: string): ProcessLog {
  let threshold = levelValue(level);
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
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
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
