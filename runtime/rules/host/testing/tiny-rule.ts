// A rule for tests of what surrounds the engine: counts the rows of tumbling windows `(end - size, end]`, and their sum of `v`.
import type { CompiledRule, RuleConfig, RuleRow, RuleState } from '../../engine-api.ts';

const sizeMs = 10;

interface TinyState extends RuleState {
  readonly rows: readonly (readonly [string, number, number])[];
}

/** `query`: `FAIL` throws at each step; anything else counts. */
export function compileTiny({ name, inputs, query }: RuleConfig): CompiledRule {
  const fingerprint = JSON.stringify([name, query]);
  return {
    ...{ name, inputs: Object.keys(inputs), outputs: ['output'], fields: {}, warnings: [], fingerprint },
    columns: new Map(),
    timestampBy: {},
    timeFields: [],
    windows: [{ kind: 'tumbling', sizeMs }],
    rowsForOne: 0,
    reachMs: sizeMs,
    aheadMs: 0,
    needsState: false,
    limits: { maxKeys: 1, maxRows: 1, maxBytes: 1 },
    start(given) {
      const state = given as TinyState | undefined;
      let watermark = state?.watermark ?? undefined;
      let rows = [...(state?.rows ?? [])];
      const counts = { rowsIn: 0, rowsOut: 0, refused: 0, adjusted: 0, dropped: 0, late: 0, failed: 0 };
      return {
        waiting: () => 0,
        push(_input, origin, index, row) {
          counts.rowsIn += 1;
          if (watermark !== undefined && index < watermark) counts.late += 1;
          else rows.push([origin, index, Number(row.v)]);
        },
        advance(until, lacking) {
          if (query === 'FAIL') throw new Error('it fails');
          const ends = [...new Set(rows.map(([, index]) => Math.ceil(index / sizeMs) * sizeMs))];
          const due = ends.filter((end) => end < until).sort((a, b) => a - b);
          const decided = due.map((time): RuleRow => {
            const inside = rows.filter(([, index]) => index > time - sizeMs && index <= time);
            const row = { n: inside.length, sum: inside.reduce((sum, [, , v]) => sum + v, 0) };
            const restsFrom = time - sizeMs;
            return {
              output: 'output',
              time,
              key: '[]',
              ordinal: 0,
              row,
              restsFrom,
              ...(lacking && { lacking }),
            };
          });
          const last = due.at(-1);
          if (last !== undefined) rows = rows.filter(([, index]) => index > last);
          watermark = until;
          counts.rowsOut += decided.length;
          return decided;
        },
        decidedUntil: () => watermark ?? Number.NEGATIVE_INFINITY,
        state: () => ({ fingerprint, watermark: watermark ?? null, rows: [...rows] }),
        counts: () => counts,
        usage: () => ({ keys: 1, rows: rows.length, bytes: 0 }),
        lastProblem: () => undefined,
      };
    },
  };
}
