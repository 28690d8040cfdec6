// `holdfast spool salvage` for people and for programs.

import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../../kernel/errors.ts';
import { systemRandom } from '../../kernel/random.ts';
import { readFolderRecord } from '../spool/continuity/folder-record.ts';
import { layoutOf, writeMarker } from '../spool/format/folder-layout.ts';
import { openSpoolEngine } from '../spool/format/spool-engine.ts';
import { maxLost } from '../spool/repair/losses.ts';
import { type SalvageReport, salvage } from '../spool/repair/salvage.ts';
import { exitCodes } from './exit-codes.ts';
import { checkSalvageTarget, type OpenedSpool } from './spool/open.ts';
import { keysFolderOf } from './spool-keys.ts';
import type { Output } from './spool-output.ts';
import { counted, formatBytes, formatCount, formatWindow, printable, windowJson } from './spool-text.ts';

const shownLosses = 20;

/**
 * `target` becomes a data folder: the salvaged store is `target/spool/store`. Returns the exit code: `failed`
 * when something was lost. @throws HoldfastError `spool-bad-arguments` for a target that will not do.
 */
export async function printSalvage(
  spool: OpenedSpool,
  options: { readonly source: string; readonly target: string; readonly json: boolean },
  out: Output,
): Promise<number> {
  const { source, target, json } = options;
  if (existsSync(target) && readdirSync(target).length > 0) {
    throw new HoldfastError('spool-bad-arguments', `${target} is not empty: name a new folder`);
  }
  checkSalvageTarget(spool, source, target, nearestFolder(target));
  mkdirSync(target, { recursive: true });
  const layout = layoutOf(join(target, 'spool'));
  const { files, reader } = spool.asIs;
  const identity = (await readFolderRecord(files, reader.codec))?.id ?? files.identity ?? systemRandom.uuid();
  const { store } = await openSpoolEngine({ folder: layout.store, identity });
  let report: SalvageReport;
  try {
    report = await salvage(spool.asIs.reader, store);
    const wrapped = keysFolderOf(spool.layout);
    // The copy is of no use to the module without them.
    if (existsSync(wrapped)) cpSync(wrapped, layout.keys, { recursive: true });
    // Last: it is what makes the folder one that a module takes as it is.
    await writeMarker(layout);
  } finally {
    await store.close();
  }
  const kinds = spool.asIs.reader.kinds();
  const problems = spool.asIs.files.problems.filter(({ severity }) => severity === 'damage');
  if (json) {
    const lostWindows = report.lostWindows.map(({ batchId, window }) => ({
      batchId,
      window: windowJson(kinds.get(batchId) ?? 'sequence', window),
    }));
    await out.line(
      JSON.stringify({ source: spool.layout.store, target, ...report, lostWindows, files: problems }),
    );
  } else {
    for (const line of reportLines(report, target)) await out.line(line);
    for (const { file, reason } of problems) await out.line(`  ${file}: ${reason}`);
    if (problems.length > 0) await out.line('Whatever stood in those places of the files is lost as well.');
    for (const line of lossLines(report, kinds)) await out.line(line);
  }
  const isWhole =
    report.lostMessages + report.lostRecordCount + report.lostWindowCount + problems.length === 0;
  return isWhole ? exitCodes.ok : exitCodes.failed;
}

function* reportLines(report: SalvageReport, target: string): Generator<string> {
  const { kept, unsent, backfill, journalRecords, streams, jobs, settings, unnamedMessages } = report;
  yield `Salvaged into ${target}, as a data folder for the module:`;
  yield `  ${counted(kept.windows, 'windows')} in ${counted(kept.messages, 'messages')}, ${formatBytes(kept.bytes)}`;
  if (unnamedMessages > 0) {
    yield `  ${formatCount(unnamedMessages)} of the messages were named by nothing any more: unsent, unless they are known to have been sent; removed ones among them`;
  }
  yield `  ${formatCount(unsent)} of them unsent, ${formatCount(backfill)} entries in the backfill lane`;
  yield `  ${formatCount(journalRecords)} journal records of open windows, ${counted(streams, 'streams')}`;
  yield `  ${formatCount(jobs)} backfill jobs, ${counted(settings, 'settings')}`;
}

function* lossLines(
  report: SalvageReport,
  kinds: ReadonlyMap<string, 'time' | 'sequence'>,
): Generator<string> {
  const { lostMessages, lostWindowCount, lostRecordCount, rebuiltStreams } = report;
  if (rebuiltStreams.length > 0) {
    yield `Streams put together from their messages: ${rebuiltStreams.map(printable).join(', ')}`;
  }
  if (lostMessages + lostWindowCount + lostRecordCount === 0) {
    yield 'No record was lost.';
    return;
  }
  yield `Lost: ${counted(lostMessages, 'messages')}, ${counted(lostRecordCount, 'records')}.`;
  for (const { key, reason } of report.lostRecords.slice(0, shownLosses)) {
    yield `  ${printable(key)}: ${printable(reason)}`;
  }
  if (lostRecordCount > shownLosses) yield `  and more (--json lists up to ${formatCount(maxLost)})`;
  if (lostWindowCount === 0) return;
  yield `Windows that are known to be lost: ${formatCount(lostWindowCount)}`;
  for (const { batchId, window } of report.lostWindows.slice(0, shownLosses)) {
    yield `  ${printable(batchId)}  ${formatWindow(kinds.get(batchId) ?? 'sequence', window)}`;
  }
  if (lostWindowCount > shownLosses) yield `  and more (--json lists up to ${formatCount(maxLost)})`;
}

function nearestFolder(path: string): string {
  let folder = resolve(path);
  while (!existsSync(folder)) folder = dirname(folder);
  return folder;
}
