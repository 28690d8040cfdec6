// Verifies the files beside the store: the mark of how far the spool has come, and the lock, which is empty.
import { HoldfastError } from '../../../kernel/errors.ts';
import { kindOf } from '../../../kernel/small-file.ts';
import { readFolderRecord } from '../../spool/continuity/folder-record.ts';
import { judge } from '../../spool/continuity/judge.ts';
import { readMark } from '../../spool/continuity/mark-file.ts';
import { type FolderLayout, layoutOf } from '../../spool/format/folder-layout.ts';
import { stateKey } from '../../spool/format/keys.ts';
import { readState } from '../../spool/format/totals.ts';
import { holdsTables } from '../../spool/repair/folder-lock.ts';
import { whyNotOurs } from '../../spool/repair/own-store.ts';
import type { SpoolReader } from '../../spool/repair/spool-reader.ts';
import type { Finding } from './finding.ts';

/** `root`: the spool's folder; undefined for a store that stands by itself, of which nothing beside it speaks. */
export async function verifyMark(root: string | undefined, reader: SpoolReader): Promise<readonly Finding[]> {
  if (root === undefined) return [];
  const layout = layoutOf(root);
  const findings: Finding[] = [];
  const damaged = (key: string, reason: string) =>
    findings.push({ severity: 'damage', kind: 'file', key, reason });
  if (await holdsTables(layout.lock))
    damaged(
      'lock',
      'a store stands in the place of the lock, which holds nothing: it may be the one of this spool',
    );
  const { source, codec } = reader;
  const wrong = await whyNotOurs(source, codec, layout);
  if (wrong !== undefined) damaged('high-water.json', wrong.reason);
  else findings.push(...(await judgeMark(layout, reader)));
  return findings;
}

/** Undefined where the state is not readable: other findings say so. */
function commitsIn({ source, codec }: SpoolReader): number | undefined {
  const value = source.get(stateKey);
  try {
    return value && readState(codec, value).commits;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return undefined;
  }
}

/** As the next start judges it. */
async function judgeMark({ mark: path }: FolderLayout, reader: SpoolReader): Promise<readonly Finding[]> {
  const record = await readFolderRecord(reader.source, reader.codec);
  const commits = commitsIn(reader);
  // Other findings say what is wrong with a store that does not tell.
  if (record === undefined || commits === undefined) return [];
  const found = await readMark(path).catch(() => undefined);
  const verdict = judge({ record, commits, isNew: false, beside: found, elsewhere: [], boot: '' });
  if (verdict.continuity === 'proven') return [];
  // A salvaged store has none yet.
  const isMissing = (await kindOf(path)) === 'missing';
  const isDamaged = !isMissing && found?.mark === undefined;
  const what = isMissing ? 'it is missing' : isDamaged ? 'it is empty, damaged or no file' : verdict.reason;
  const reason = `${what}: no stream goes on without a break at the next start`;
  const severity = isDamaged || verdict.isDamage ? 'damage' : 'note';
  return [{ severity, kind: 'file', key: 'high-water.json', reason }];
}
