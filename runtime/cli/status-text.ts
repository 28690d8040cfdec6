// The overview for a terminal: the same content as the status page, in the same words. Pure.
import { durationText } from '../../kernel/duration-text.ts';
import type { Overview } from '../health/overview.ts';

interface Told {
  readonly version: string;
  readonly time: string;
  readonly uptimeMs: number;
  readonly uplink: { readonly connected: boolean };
  readonly sources: readonly {
    readonly name: string;
    readonly phase: string;
    readonly readings: number;
    readonly breaks: number;
    readonly lastReadingAgeMs?: number;
  }[];
  readonly spool: {
    readonly state: string;
    readonly evicted: number;
    readonly damaged: number;
    readonly lanes: Readonly<Record<string, { messages: number; bytes: number; oldestAgeMs?: number }>>;
  };
  readonly jobs: { readonly open: number };
  readonly clock: { readonly mode?: string };
  readonly config?: { readonly state: string };
}

const maxSources = 30;

export function statusText({ status, troubles, fullInSeconds, log }: Overview): string {
  const told = status as unknown as Told;
  const { spool } = told;
  const room = fullInSeconds === null ? 'not known yet' : durationText(fullInSeconds * 1000);
  return [
    `Holdfast ${told.version}, running for ${durationText(told.uptimeMs)}, as of ${told.time}`,
    '',
    ...(troubles.length === 0
      ? ['All is well: every source is read, the hub is connected.']
      : troubles.map(({ grade, text }) => clean(`${grade === 'bad' ? '!!' : ' !'} ${text}`))),
    '',
    `hub ${told.uplink.connected ? 'connected' : 'not reached'}   disk ${spool.state}   clock ${told.clock.mode ?? 'trusted'}   configuration ${told.config?.state ?? '-'}   room without network ${room}`,
    `holes: ${told.sources.reduce((sum, { breaks }) => sum + breaks, 0)} breaks, ${spool.evicted} windows removed unsent, ${spool.damaged} records damaged   backfill jobs open: ${told.jobs.open}`,
    '',
    ...columns([
      ['source', 'state', 'readings', 'breaks', 'last reading'],
      ...told.sources
        .slice(0, maxSources)
        .map(({ name, phase, readings, breaks, lastReadingAgeMs: age }) => [
          clean(name),
          phase,
          String(readings),
          String(breaks),
          age === undefined ? 'none' : `${durationText(age)} ago`,
        ]),
    ]),
    ...(told.sources.length > maxSources ? [`and ${told.sources.length - maxSources} more`] : []),
    '',
    ...columns([
      ['lane', 'messages', 'bytes', 'oldest'],
      ...Object.entries(spool.lanes).map(([lane, { messages, bytes, oldestAgeMs }]) => [
        lane,
        String(messages),
        String(bytes),
        oldestAgeMs === undefined ? '' : durationText(oldestAgeMs),
      ]),
    ]),
    '',
    ...log.slice(-8).map(({ time, level, msg }) => clean(`${time.slice(11, 19)} ${level.padEnd(5)} ${msg}`)),
  ].join('\n');
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
}

/** Names and messages come from elsewhere: none may steer the terminal. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is taken out.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
