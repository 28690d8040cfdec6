import type { Reading } from '../../../wire/reading.ts';
import type { RuleInputRow } from '../engine-api.ts';

/**
 * Converts readings in index order to rows, one for each index. Tags become fields; a tag `a.b` becomes field `b` of the record `a`. A value
 * of bad quality is left out, since a rule must not act on what was not measured.
 */
export function rowsOf(
  readings: readonly Reading[],
): readonly { readonly index: number; readonly row: RuleInputRow }[] {
  const rows: { index: number; row: Record<string, unknown> }[] = [];
  for (const { index, tag, value, quality } of readings) {
    let last = rows.at(-1);
    if (last === undefined || last.index !== index) {
      last = { index, row: Object.create(null) };
      rows.push(last);
    }
    put(last.row, tag, isBad(quality) ? null : value);
  }
  return rows as { index: number; row: RuleInputRow }[];
}

const isBad = (quality: string) => quality === 'bad' || quality.startsWith('bad:');

/** Where a tag is named as another one's field is, the later one stands. */
function put(row: Record<string, unknown>, tag: string, value: unknown): void {
  const path = tag.split('.');
  let at = row;
  for (const name of path.slice(0, -1)) {
    const inner = at[name];
    const next: Record<string, unknown> =
      typeof inner === 'object' && inner !== null && !Array.isArray(inner) && made.has(inner)
        ? (inner as Record<string, unknown>)
        : Object.create(null);
    made.add(next);
    at[name] = next;
    at = next;
  }
  at[path.at(-1)!] = value;
}

/** Records that were made here, as against values of tags, which belong to their reading. */
const made = new WeakSet<object>();
