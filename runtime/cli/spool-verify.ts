// `holdfast spool verify` for people and for programs.

import { exitCodes } from './exit-codes.ts';
import type { Finding } from './spool/finding.ts';
import type { OpenedSpool } from './spool/open.ts';
import { verifySpool } from './spool/verify.ts';
import { verifyFolder } from './spool/verify-folder.ts';
import { verifyMark } from './spool/verify-mark.ts';
import type { Output } from './spool-output.ts';
import { repairText } from './spool-repair-text.ts';
import { counted, formatCount, printable, tableLines } from './spool-text.ts';

/** Findings that `--json` lists; all are counted. */
const maxFindings = 10_000;

/** Returns the exit code: `failed` when something is damaged. */
export async function printFindings(spool: OpenedSpool, json: boolean, out: Output): Promise<number> {
  const counts = { damage: 0, note: 0 };
  const kept: Finding[] = [];
  const beside = await verifyMark(spool.layout.root, spool.asIs.reader);
  const besideStore = await verifyFolder(spool.layout.root);
  function* findings() {
    yield* besideStore;
    yield* beside;
    if (spool.repair !== undefined)
      yield { severity: 'damage', kind: 'file', key: 'store', reason: repairText(spool.repair) } as const;
    yield* verifySpool(spool.asIs.reader, spool.asIs.files);
  }
  function* rows() {
    for (const finding of findings()) {
      counts[finding.severity]++;
      if (json && kept.length < maxFindings) kept.push(finding);
      yield [finding.severity, finding.kind, printable(finding.key), printable(finding.reason)];
    }
  }
  if (json) {
    for (const _ of rows());
    const isCut = counts.damage + counts.note > kept.length;
    const { store } = spool.layout;
    await out.line(
      JSON.stringify({ store, damaged: counts.damage, notes: counts.note, findings: kept, cut: isCut }),
    );
  } else await printRows(rows(), counts, out);
  return counts.damage > 0 ? exitCodes.failed : exitCodes.ok;
}

async function printRows(
  rows: Generator<string[]>,
  counts: { readonly damage: number; readonly note: number },
  out: Output,
): Promise<void> {
  const columns = [{ title: 'SEVERITY' }, { title: 'WHAT' }, { title: 'KEY' }, { title: 'REASON' }];
  const first = rows.next();
  if (!first.done) {
    const all = (function* () {
      yield first.value;
      yield* rows;
    })();
    for (const line of tableLines(columns, all)) if (!(await out.line(line))) break;
    // The counts must be whole even if nobody reads the lines.
    for (const _ of rows);
    await out.line('');
  }
  const notes = counts.note === 0 ? '' : `, ${counted(counts.note, 'notes')}`;
  if (counts.damage > 0) {
    await out.line(
      `${formatCount(counts.damage)} damaged ${counts.damage === 1 ? 'place' : 'places'}${notes}. What is whole: holdfast spool salvage`,
    );
  } else await out.line(`No damage${notes}: every sum and every reference is right.`);
}
