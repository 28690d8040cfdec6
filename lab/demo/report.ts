// Prints the account for people and programs. Pure.
import { size } from '../../wire/coverage.ts';
import type { Account, StreamAccount } from './account.ts';
import type { DashboardSeen } from './dashboard-watch.ts';
import type { MissingRange } from './missing-ranges.ts';
import type { VerdictAccount } from './verdict-account.ts';

const columns = ['produced', 'delivered', 'duplicates', 'void', 'missing', 'invented', 'changed'] as const;

/** The one line of `--json`. `seen`: what the dashboard showed, where something looked at it. */
export function jsonLine(account: Account, seconds: number, seen?: DashboardSeen): string {
  const { ok, produced, delivered, duplicates, missing, invented, changed, gapsFound, gapsClosed } = account;
  return JSON.stringify({
    ok,
    produced,
    delivered,
    duplicates,
    void: account.void,
    missing,
    invented,
    changed,
    voidSeconds: account.streams.reduce((sum, { voids }) => sum + size(voids), 0) / 1000,
    gapsFound,
    gapsClosed,
    openGaps: account.openGaps,
    seconds: Math.round(seconds * 10) / 10,
    streams: account.streams.map((stream) => ({
      stream: stream.stream,
      ...Object.fromEntries(columns.map((name) => [name, stream[name]])),
    })),
    problems: account.problems,
    rule: account.verdicts === undefined ? null : ruleJson(account.verdicts),
    dashboard: seen ?? null,
  });
}

const nameWidth = 8;
const cellWidths = [10, 11, 12, 9, 9, 10, 9];
const width = nameWidth + cellWidths.reduce((sum, cell) => sum + cell, 0);
const maxRanges = 8;

/** The table, the verdict, and what is wrong if anything is. */
export function tableLines(account: Account, seconds: number, seen?: DashboardSeen): string[] {
  const row = (name: string, cells: readonly string[]) =>
    name.padEnd(nameWidth) + cells.map((cell, i) => cell.padStart(cellWidths[i]!)).join('');
  const figures = (from: Account | StreamAccount) =>
    columns.map((name) => from[name].toLocaleString('en-US'));
  const verdict = account.ok
    ? 'Accounted for: every reading is delivered, or lies in a declared void that nobody could fill.'
    : 'NOT accounted for.';
  return [
    row('readings', columns),
    '-'.repeat(width),
    ...account.streams.map((stream) => row(stream.stream, figures(stream))),
    '-'.repeat(width),
    row('all', figures(account)),
    '',
    `gaps found ${account.gapsFound}, closed ${account.gapsClosed}, open ${account.openGaps}; ${seconds.toFixed(1)} s`,
    ...account.streams.flatMap(voidLine),
    ...(account.verdicts === undefined ? [] : verdictLines(account.verdicts)),
    ...(seen ? dashboardLines(seen) : []),
    verdict,
    ...account.problems.map((problem) => `  ! ${problem}`),
    ...account.streams.flatMap(faultLines),
  ];
}

/** Time in which nobody asked or nothing answered has no readings to count, and is told all the same. */
function voidLine({ stream, voids }: StreamAccount): string[] {
  if (voids.length === 0) return [];
  return [`${stream}: ${(size(voids) / 1000).toFixed(1)} s declared void in ${voids.length} ranges`];
}

function ruleJson({ shown, problems: _, ...counts }: VerdictAccount) {
  return {
    ...counts,
    shown: shown.map(({ box, maxEventTime, arrived }) => ({
      box,
      maxEventTime: new Date(maxEventTime).toISOString(),
      arrived: new Date(arrived).toISOString(),
    })),
  };
}

/** Arrival against event time, each in the box that the seed draws around it. */
function verdictLines(account: VerdictAccount): string[] {
  const { stream, verdicts, missing, doubled, invented, wrong, resets, resetsWhileCut, shown } = account;
  const boxes = { blue: 'before the cut', red: 'decided in the cut', green: 'after it' };
  return [
    `${stream}: ${verdicts} verdicts, ${missing} missing, ${doubled} doubled, ${invented} invented, ${wrong} wrong; ` +
      `${resets} resets carried out, ${resetsWhileCut} of them while the cloud was out of reach`,
    ...(shown.length === 0 ? [] : ['  maxEventTime   arrived in the cloud']),
    ...shown.map(({ box, maxEventTime, arrived }) => {
      const late = ((arrived - maxEventTime) / 1000).toFixed(1).padStart(5);
      return `  ${time(maxEventTime)}   ${time(arrived)} ${late} s later  ${box}: ${boxes[box]}`;
    }),
  ];
}

function dashboardLines({ gapsOn, voids, healed, folder, pictures }: DashboardSeen): string[] {
  if (pictures.length === 0) return [];
  const reasons = Object.entries(voids).map(([stream, reason]) => `${stream} (${reason})`);
  const end = healed
    ? `whole again at the end${reasons.length > 0 ? `, but for ${reasons.join(', ')}` : ''}`
    : 'not whole';
  return [
    `dashboard: gaps seen on ${gapsOn.join(', ') || 'no stream'}; ${end}`,
    `  ${pictures.length} pictures of it are in ${folder}`,
  ];
}

function faultLines(stream: StreamAccount): string[] {
  const rest = stream.missingRanges.length - maxRanges;
  return [
    ...stream.missingRanges.slice(0, maxRanges).map((range) => missingLine(stream.stream, range)),
    ...(rest > 0 ? [`  ! ${stream.stream}: and ${rest} more ranges`] : []),
    ...stream.openGaps.map(({ start, end }) => `  ! ${stream.stream}: open gap ${between(start, end)}`),
  ];
}

function missingLine(stream: string, { window, readings, why }: MissingRange): string {
  return `  ! ${stream}: ${readings} readings missing ${between(window.start, window.end)}, ${why}`;
}

const between = (start: number, end: number) => `${time(start)} - ${time(end)} (${start}-${end})`;
const time = (at: number) => new Date(at).toISOString().slice(11, 23);
