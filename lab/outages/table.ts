// Prints the results of a run as a table.
import type { SiteRun } from './in-site.ts';

const widths = [22, 9, 12, 12, 9, 8] as const;
const line = (cells: readonly string[]) =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[i] ?? 0))).join(' ');

export const tableHead = line(['outage', 'for', 'live after', 'all after', 'resident', 'sockets']);

export function tableRows(run: SiteRun): string[] {
  const rows = run.rounds.map((round) =>
    line([
      round.outage,
      seconds(round.durationMs),
      seconds(round.liveAfterMs),
      seconds(round.drainedAfterMs),
      `${round.footprint.residentMb} MB`,
      `${round.footprint.sockets}`,
    ]),
  );
  const streams = Object.values(run.streams);
  const sum = (pick: (stream: (typeof streams)[number]) => number) =>
    streams.reduce((all, s) => all + pick(s), 0);
  const promised = sum((stream) => stream.samplesPromised);
  const { before, after } = run;
  const grown = `${before.residentMb} to ${after.residentMb} MB, ${before.sockets} to ${after.sockets} sockets`;
  const problems = [
    ...run.rounds.flatMap(({ outage, problems }) => problems.map((p) => `${outage}: ${p}`)),
    ...run.problems,
  ];
  const verdict = problems.length === 0 ? 'nothing lost' : 'WRONG';
  return [
    ...rows,
    `  ${verdict}: ${promised} of ${sum((s) => s.samplesMade)} samples observed, ${sum((s) => s.readingsDelivered)} readings delivered, ${sum((s) => s.duplicateReadings)} again; ${grown}`,
    ...problems.map((problem) => `  ! ${problem}`),
    ...(run.kept === undefined ? [] : [`  files: ${run.kept}`]),
  ];
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? 'never' : `${(ms / 1000).toFixed(1)} s`;
}
