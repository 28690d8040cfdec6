// The overview for a terminal: the same content as the status page, in the same words. Pure.
import { durationText } from '../../kernel/duration-text.ts';
import { plainLine } from '../../kernel/text.ts';
import type { LogEntry } from '../health/log-entry.ts';
import type { Overview } from '../health/overview.ts';

interface Told {
  readonly version: string;
  readonly time: string;
  readonly uptimeMs: number;
  readonly uplink: { readonly connected: boolean; readonly sink?: string };
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
  readonly rules?: readonly {
    readonly name: string;
    readonly phase: string;
    readonly dryRun?: boolean;
    readonly rows?: number;
    readonly refused?: number;
    readonly failed?: number;
    /** Actions by outcome. */
    readonly actions?: Readonly<Record<string, number>>;
    readonly problem?: string;
  }[];
}

const maxSources = 30;
const maxRules = 30;

export function statusText({ status, troubles, fullInSeconds, log }: Overview): string {
  const told = status as unknown as Told;
  const { spool } = told;
  const room = fullInSeconds === null ? 'not known yet' : durationText(fullInSeconds * 1000);
  return [
    `Holdfast ${told.version}, running for ${durationText(told.uptimeMs)}, as of ${told.time}`,
    '',
    ...(troubles.length === 0
      ? [`All is well: every source is read, ${wayOut(told)}.`]
      : troubles.map(({ grade, text }) => clean(`${grade === 'bad' ? '!!' : ' !'} ${text}`))),
    '',
    `${told.uplink.sink === undefined ? `hub ${told.uplink.connected ? 'connected' : 'not reached'}` : 'hub none'}   disk ${spool.state}   clock ${told.clock.mode ?? 'trusted'}   configuration ${told.config?.state ?? '-'}   room without network ${room}`,
    `holes: ${told.sources.reduce((sum, { breaks }) => sum + breaks, 0)} breaks, ${spool.evicted} windows removed unsent, ${spool.damaged} records damaged   backfill jobs open: ${told.jobs.open}`,
    '',
    ...columns([
      ['source', 'state', 'readings', 'breaks', 'last reading'],
      ...told.sources
        .toSorted((a, b) => Number(a.phase === 'connected') - Number(b.phase === 'connected'))
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
    ...rulesText(told.rules ?? []),
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
    ...log.slice(-8).map(logLine),
  ].join('\n');
}

/** What stands with the text says whose trouble it is, and what docs/ERRORS.md calls it. */
function logLine({ time, level, msg, source, rule, code }: LogEntry): string {
  const whose = Object.entries({ source, rule, code }).filter(([, value]) => typeof value === 'string');
  return clean(
    [time.slice(11, 19), level.padEnd(5), msg, ...whose.map(([name, value]) => `${name}=${value}`)].join(' '),
  );
}

export interface Screen {
  readonly rows: number;
  readonly columns: number;
}

/** As much of it as the screen holds, from the top, where the trouble stands; a last line says that there is more. */
export function fitText(text: string, { rows, columns }: Screen): string {
  const heights = (line: string) => Math.max(1, Math.ceil(line.length / Math.max(1, columns)));
  const lines = text.split('\n');
  const total = lines.reduce((sum, line) => sum + heights(line), 0);
  // The cursor stands on the last row.
  if (total < rows) return text;
  let left = rows - 2;
  const shown = lines.slice(
    0,
    lines.findIndex((line) => {
      left -= heights(line);
      return left < 0;
    }),
  );
  return [...shown, `... ${lines.length - shown.length} more lines: enlarge the terminal`].join('\n');
}

/** Where messages go while all is well. */
export function wayOut({ uplink: { sink } }: { readonly uplink: { readonly sink?: string } }): string {
  return sink === undefined ? 'the hub is connected' : `messages go to ${clean(sink)}, there is no hub`;
}

function rulesText(rules: NonNullable<Told['rules']>): readonly string[] {
  if (rules.length === 0) return [];
  const count = (counts: Readonly<Record<string, number>>, isMeant: (name: string) => boolean) =>
    Object.entries(counts).reduce((sum, [name, n]) => sum + (isMeant(name) ? n : 0), 0);
  const isDone = (outcome: string) => outcome === 'done' || outcome === 'dry-run';
  const shown = rules
    .slice(0, maxRules)
    .map(({ name, phase, dryRun, rows = 0, refused = 0, failed = 0, actions = {}, problem }) => [
      clean(name),
      dryRun ? `${phase}, dry run` : phase,
      String(rows),
      String(count(actions, isDone)),
      String(count(actions, (outcome) => !isDone(outcome))),
      String(refused + failed),
      clean(problem ?? ''),
    ]);
  const head = ['rule', 'state', 'rows', 'actions', 'not carried out', 'inputs left out', 'trouble'];
  const more = rules.length > maxRules ? [`and ${rules.length - maxRules} more`] : [];
  return ['', ...columns([head, ...shown]), ...more];
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
  return plainLine(text);
}
