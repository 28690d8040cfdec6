// Verifies the files beside the store: the mark of how far the spool has come, and the lock, which is empty.
import { HoldfastError } from '../../../kernel/errors.ts';
import { readFolderRecord } from '../../spool/continuity/folder-record.ts';
import { olderThan } from '../../spool/continuity/judge.ts';
import { layoutOf } from '../../spool/format/folder-layout.ts';
import { stateKey } from '../../spool/format/keys.ts';
import { readState } from '../../spool/format/totals.ts';
import { holdsTables } from '../../spool/repair/folder-lock.ts';
import { toldMark, whyNotOurs } from '../../spool/repair/own-store.ts';
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
  const told = await toldMark(layout);
  const record = await readFolderRecord(source, codec);
  if (wrong !== undefined) damaged('high-water.json', wrong.reason);
  else if (told !== undefined && record !== undefined && record.id !== told.mark.spool) {
    const reason = `it is that of spool ${told.mark.spool}, the store is that of ${record.id}: one of them was put there`;
    findings.push({ severity: 'note', kind: 'file', key: 'high-water.json', reason });
  } else if (told !== undefined && record?.id === told.mark.spool) {
    const commits = commitsIn(reader);
    const older =
      commits === undefined ? undefined : olderThan({ starts: record.starts, commits }, told.mark);
    if (older !== undefined) damaged('high-water.json', `the store went back: ${older}`);
  }
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
