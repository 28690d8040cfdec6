// Formats log lines: `json` for programs, `iotedge` as edgeAgent's filter wants it (level, time and text at the beginning
// of the line, so that GetModuleLogs can select by level, time and pattern), `pretty` for a person at a terminal. Pure.
import { plainLine } from '../../kernel/text.ts';
import type { LogEntry, LogLevel } from './log-entry.ts';

export const logFormats = ['iotedge', 'json', 'pretty'] as const;
export type LogFormat = (typeof logFormats)[number];

/** As HOLDFAST_LOG_FORMAT says; by default what reads the log best: edgeAgent, a person, or a program. Undefined for another word. */
export function readLogFormat(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean = process.stderr.isTTY === true,
): LogFormat | undefined {
  const wanted = environment.HOLDFAST_LOG_FORMAT;
  if (wanted) return logFormats.find((format) => format === wanted);
  if (environment.IOTEDGE_WORKLOADURI) return 'iotedge';
  return isTerminal ? 'pretty' : 'json';
}

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type SetLevel = (typeof logLevels)[number];

/** As HOLDFAST_LOG_LEVEL says; undefined for another word. */
export function readLogLevel(
  environment: Readonly<Record<string, string | undefined>>,
): SetLevel | undefined {
  const wanted = environment.HOLDFAST_LOG_LEVEL;
  return wanted ? logLevels.find((level) => level === wanted) : 'info';
}

/** Severities of syslog, and the names that edgeAgent and edgeHub write. */
const edgeLevels: Readonly<Record<LogLevel, readonly [number, string]>> = {
  debug: [7, 'DBG'],
  info: [6, 'INF'],
  warn: [4, 'WRN'],
  error: [3, 'ERR'],
  fatal: [2, 'FTL'],
};
const colours: Readonly<Record<LogLevel, string>> = {
  debug: '90',
  info: '32',
  warn: '33',
  error: '31',
  fatal: '35',
};

/** Returns one line without its end. Nothing in an entry, whoever said it, forges a second line or steers a terminal. */
export function formatEntry(entry: LogEntry, format: LogFormat): string {
  if (format === 'json') return plainLine(JSON.stringify(entry), (character) => `\\u${hex(character)}`);
  const { level, time, msg, ...fields } = entry;
  const text = plainLine(
    [
      msg.replace(/\s*\r?\n\s*/g, ' | '),
      ...Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`),
    ].join(' '),
  );
  if (format === 'iotedge') {
    const [severity, label] = edgeLevels[level];
    return `<${severity}> ${time.replace('T', ' ').replace('Z', '')} +00:00 [${label}] - ${text}`;
  }
  return `${time.slice(11, 23)} \u001b[${colours[level]}m${level.toUpperCase().padEnd(5)}\u001b[0m ${text}`;
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return typeof value === 'string' && /[\s"=]|[^\x20-\x7e]|^$/.test(text) ? JSON.stringify(text) : text;
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, '0');
}
