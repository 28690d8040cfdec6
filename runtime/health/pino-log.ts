import { destination, pino } from 'pino';
import type { Log } from '../../kernel/log.ts';

export interface ProcessLog extends Log {
  /** Writes out what is buffered; call before the process ends. */
  flush(): void;
}

/**
 * JSON lines on standard error: standard output belongs to what a command prints. Synchronous, so that the
 * last lines before a crash are there to be read; a module logs a few lines a minute, not thousands a second.
 */
export function createProcessLog(level: string): ProcessLog {
  const stream = destination({ fd: 2, sync: true });
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Belt and braces: no caller should log these, and none can by accident.
      redact: {
        paths: ['*.connectionString', '*.SharedAccessKey', '*.password', 'token', '*.token'],
        remove: true,
      },
    },
    stream,
  );
  return Object.assign(logger as unknown as Log, {
    flush: () => stream.flushSync(),
  });
}
