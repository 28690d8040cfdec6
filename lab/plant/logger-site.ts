// The `sources` entry of a holdfast configuration that reads the serial logger, as data that YAML can carry.
import type { LoggerInfo } from './logger.ts';

export interface LoggerSiteOptions {
  /** Where the logger is reached, when not directly: a relay between. Only for TCP. */
  readonly host?: string;
  readonly port?: number;
  /** Reads over TCP although there is a serial port. */
  readonly overTcp?: boolean;
  /** What orders the stream: the time that the logger stamps (the default), or its record numbers. */
  readonly index?: 'time' | 'number';
  /** Asks with READ so often instead of listening: for a logger that does not talk. */
  readonly pollMs?: number;
  readonly timeoutMs?: number;
  /** Records, or so many times the time between two, asked for by one command. Default 500. */
  readonly pageRecords?: number;
}

type ReadLogger = Pick<LoggerInfo, 'host' | 'port' | 'path' | 'scanMs' | 'capacity' | 'lastNumber'>;

/** Source `logger`. */
export function loggerSource(logger: ReadLogger, options: LoggerSiteOptions = {}) {
  const { index = 'time', pollMs, timeoutMs = 1000, pageRecords = 500 } = options;
  const where =
    logger.path === undefined || options.overTcp
      ? { host: options.host ?? logger.host, port: options.port ?? logger.port }
      : { path: logger.path, baudRate: 115_200 };
  const range = index === 'number' ? 'DUMP {from},{to}' : 'SPAN {from},{to}';
  // The bounds by number are the first two columns of $INF, those by time the last two.
  const bounds =
    index === 'number'
      ? '^\\$INF,(?<oldest>\\d+),(?<newest>\\d+),'
      : '^\\$INF,\\d+,\\d+,(?<oldest>[^,]+),(?<newest>[^,]+)$';
  return {
    name: 'logger',
    type: 'serial' as const,
    ...where,
    ...(pollMs === undefined
      ? { expectEveryMs: Math.max(3000, 10 * logger.scanMs) }
      : { poll: { command: 'READ\\r\\n', everyMs: pollMs, timeoutMs } }),
    framing: { kind: 'delimiter' as const, end: '\\r\\n', maxBytes: 256 },
    checksum: { kind: 'nmea' as const },
    fields: { separator: ',' },
    refusals: ['$ERR'],
    stamp: {
      index,
      number: { column: 1, first: 1, last: logger.lastNumber },
      timestamp: { column: 2, format: 'iso' },
    },
    tags: [
      { name: 'temperature', startsWith: '$LOG', column: 3 },
      { name: 'pressure', startsWith: '$LOG', column: 4 },
      { name: 'energy', startsWith: '$LOG', column: 5 },
      { name: 'level', startsWith: '$LOG', column: 6 },
      { name: 'status', startsWith: '$LOG', column: 7, type: 'hex' as const },
      { name: 'label', startsWith: '$LOG', column: 8, type: 'string' as const },
    ],
    history: {
      command: `${range}\\r\\n`,
      startsWith: '$REC',
      end: '$END',
      none: '$NONE',
      timeoutMs: Math.max(2000, timeoutMs),
      pageRecords,
      pageMs: Math.max(1000, pageRecords * logger.scanMs),
      capacity: logger.capacity,
      bounds: { command: 'INFO\\r\\n', pattern: bounds, timeoutMs },
    },
  };
}
