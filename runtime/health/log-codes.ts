// The codes of log lines that need a person, by which docs/ERRORS.md says what to do. Raised errors bring their own code;
// lines that state a condition have theirs here, by the beginning of their text. A test compares this with the code.
import type { LogEntry } from './log-entry.ts';

const codes: readonly (readonly [string, string])[] = [
  ['the link is down', 'link-down'],
  ['the disk refuses a commit', 'disk-refuses'],
  ['the disk does not answer', 'disk-hangs'],
  ['memory is full of readings', 'memory-full'],
  ['the spool is full', 'spool-full'],
  ['the spool goes on without a key', 'spool-key-missing'],
  ['a key of the spool cannot be had', 'spool-key-missing'],
  ['a damaged record is quarantined', 'spool-damage'],
  ["the spool's state is damaged", 'spool-damage'],
  ['another store stood in the place of the spool', 'spool-store-swapped'],
  ['a store stood in the place of the lock', 'spool-store-swapped'],
  ["another spool's files were quarantined", 'spool-store-swapped'],
  ['the wall clock is not trusted', 'clock-not-trusted'],
  ['the journal of readings that wait for the clock is full', 'clock-journal-full'],
  ['readings waited for a clock', 'clock-readings-lost'],
  ['the configuration is refused', 'config-refused'],
  ['the last good configuration is unusable', 'config-refused'],
  ['the configuration did not work', 'config-reverted'],
  ['this configuration is not kept', 'config-not-kept'],
  ['this source cannot run', 'source-not-built'],
  ['this module has crashed again and again', 'crash-loop'],
  ['uncaught exception', 'crash'],
  ['no status over HTTP', 'status-port'],
  ['uplink not connected', 'link-down'],
];

/** With its code; an error without one of its own has `unexpected-trouble`. */
export function withCode(entry: LogEntry): LogEntry {
  const { level, msg } = entry;
  if (entry.code !== undefined || (level !== 'error' && level !== 'warn')) return entry;
  const found = codes.find(([beginning]) => msg.startsWith(beginning))?.[1];
  const code = found ?? (level === 'error' ? 'unexpected-trouble' : undefined);
  return code === undefined ? entry : { ...entry, code };
}

export const logCodes = [...new Set(codes.map(([, code]) => code)), 'unexpected-trouble'];
export const codedBeginnings = codes.map(([beginning]) => beginning);
