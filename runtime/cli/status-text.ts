// The overview for a terminal: the same content as the status page, in the same words. Pure.
import { durationText } from '../../kernel/duration-text.ts';
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
    ...log.slice(-8).map(({ time, level, msg }) => clean(`${time.slice(11, 19)} ${level.padEnd(5)} ${msg}`)),
  ].join('\n');
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
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is taken out.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
