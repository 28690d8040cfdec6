// Describes in words what a rule needs and does: for `holdfast check` and `holdfast rules explain`.
import type { CompiledRule, RuleExplanation, WindowUse } from './engine-api.ts';
import { durationText } from './language/duration-text.ts';

const dayMs = 86_400_000;

export function explainRule(rule: CompiledRule): RuleExplanation {
  const { windows, limits, outputs, rowsForOne } = rule;
  const perDay = windows.map(endsPerDay);
  const known = perDay.filter((count) => count !== undefined);
  const isKnown = windows.length > 0 && known.length === windows.length && rowsForOne === 0;
  const rowsPerDay = known.reduce((sum, count) => sum + count, 0);
  return {
    name: rule.name,
    inputs: rule.inputs.map((name) => ({
      name,
      fields: rule.fields[name] ?? [],
      time: rule.timestampBy[name] ?? 'its index',
    })),
    outputs,
    windows: windows.map(windowText),
    memory: { ...limits, kept: keptText(rule) },
    ...(isKnown ? { rowsPerDay } : {}),
    rows: isKnown
      ? `at most ${rowsPerDay} rows a day for each key`
      : windows.length > 0 || !Number.isFinite(rowsForOne)
        ? 'as many rows as its events make'
        : `at most ${rowsForOne === 1 ? 'a row' : `${rowsForOne} rows`} for each row of its inputs`,
    warnings: isKnown ? [...rule.warnings, ...floodWarning(rowsPerDay)] : rule.warnings,
  };
}

/** Beyond it a rule is worth a question: as many readings as of a fast source, for one key. */
const manyRowsASecond = 100;

function floodWarning(rowsPerDay: number): readonly string[] {
  const rows = Math.round(rowsPerDay / (dayMs / 1000));
  if (rows < manyRowsASecond) return [];
  return [
    `up to ${rows} rows a second for each key: while there is no network they take the room of all other streams; choose a longer hop`,
  ];
}

function endsPerDay({ kind, sizeMs, hopMs }: WindowUse): number | undefined {
  if (kind === 'tumbling' || kind === 'hopping') return Math.ceil(dayMs / (hopMs ?? sizeMs));
  return undefined;
}

function windowText({ kind, sizeMs, hopMs = sizeMs, offsetMs }: WindowUse): string {
  const offset = offsetMs === undefined ? '' : `, moved by ${durationText(offsetMs)}`;
  switch (kind) {
    case 'tumbling':
      return `tumbling: ${durationText(sizeMs)}, ends at multiples of it${offset}`;
    case 'hopping':
      return `hopping: ${durationText(sizeMs)} every ${durationText(hopMs)}${offset}`;
    case 'sliding':
      return `sliding: ${durationText(sizeMs)}, whenever a row enters or leaves`;
    case 'session':
      return `session: until ${durationText(sizeMs)} without a row, cut at multiples of ${durationText(hopMs)}`;
    case 'snapshot':
      return 'snapshot: rows of one time';
  }
}

function keptText({ windows, reachMs, needsState }: CompiledRule): string {
  if (reachMs === 0) return 'nothing from one row to the next';
  const state = needsState ? 'state that is kept for good, and ' : '';
  const rows =
    windows.length > 0 ? 'sums of each open window and key' : 'the rows it looks back at, for each partition';
  return `${state}${rows}, up to ${durationText(reachMs)} back`;
}

/** For people. */
export function explanationText(explained: RuleExplanation): string {
  const { name, inputs, outputs, windows, memory, rows, warnings } = explained;
  const megabytes = (memory.maxBytes / 1024 / 1024).toFixed(0);
  return [
    `${name}:`,
    ...inputs.map(
      (input) =>
        `  reads ${input.name}: ${input.fields.length === 0 ? 'no field' : input.fields.join(', ')}; in the order of ${input.time}`,
    ),
    ...[...new Set(windows)].map((window) => {
      const times = windows.filter((other) => other === window).length;
      return `  ${times === 1 ? 'window' : `${times} windows, each`} ${window}`;
    }),
    `  writes ${outputs.join(', ')}: ${rows}`,
    `  keeps ${memory.kept}; at most ${memory.maxKeys} keys, ${memory.maxRows} rows, ${megabytes} MiB`,
    ...warnings.map((warning) => `  note: ${warning}`),
  ].join('\n');
}
