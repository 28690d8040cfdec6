// Two ways to show a report: tables for people, one line of JSON for programs.
import { type Figure, meetsAim, type Report } from './bench.ts';
import type { Machine } from './machine.ts';
import { rounded } from './numbers.ts';

/** Figures by their keys at the top; everything else beside them. A figure that is missing is null. */
export function toJson(name: string, quick: boolean, machine: Machine, report: Report): string {
  const values = Object.fromEntries(report.figures.map(({ key, value }) => [key, orNull(value)]));
  const aims = Object.fromEntries(
    report.figures.flatMap((figure) =>
      figure.aim === undefined
        ? []
        : [[figure.key, { [figure.aim.at]: figure.aim.value, met: meetsAim(figure) }]],
    ),
  );
  const { tables, notes } = report;
  return JSON.stringify({ bench: name, ...values, quick, aims, tables, notes, machine });
}

export function toText(name: string, machine: Machine, report: Report): string {
  const rows = report.figures.map((figure) => ({
    figure: figure.what,
    value: figure.value === undefined ? 'not measured' : String(rounded(figure.value)),
    aim: figure.aim === undefined ? '' : `${figure.aim.at === 'most' ? '<=' : '>='} ${figure.aim.value}`,
    '': verdict(figure),
  }));
  const tables = report.tables.map(({ title, rows }) => `${title}\n${toTable(rows)}`);
  const notes = report.notes.map((note) => `- ${note}`).join('\n');
  return [`${name}: ${machine.text}`, toTable(rows), ...tables, notes].join('\n\n');
}

function verdict(figure: Figure): string {
  const met = meetsAim(figure);
  return met === undefined ? '' : met ? 'reached' : 'NOT REACHED';
}

/** As Markdown, so that it can be kept as it is. */
export function toTable(rows: readonly Readonly<Record<string, string | number | undefined>>[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => names.map((name) => cell(row[name])));
  const widths = names.map((name, n) => Math.max(name.length, ...cells.map((row) => row[n]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((text, n) => text.padEnd(widths[n]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(names), rule, ...cells.map(line)].join('\n');
}

function cell(value: string | number | undefined): string {
  return value === undefined ? '' : typeof value === 'number' ? String(rounded(value)) : value;
}

function orNull(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : rounded(value);
}
