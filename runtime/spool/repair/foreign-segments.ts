// Segments of another spool among the store's logs, as after files were put back from the wrong backup. All of their sums are right, and
// what they hold would be sent under our name. Each names its spool, so they are moved to the quarantine before anything is
// opened. What of ours stood in their place is missing then, which the opening finds out and reports.
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../../../kernel/log.ts';
import { syncFolder } from '../engine/disk.ts';
import { type FolderLayout, keptForOwner } from '../format/folder-layout.ts';
import { expectedOwner, type NotOurs } from './own-store.ts';
import { newInQuarantine } from './quarantine.ts';
import { damageOf, type StoreDamage } from './start-check.ts';

export interface CheckedFiles {
  /** The damage of what is left in the store. */
  readonly damage: StoreDamage;
  /** Why segments were moved to the quarantine. */
  readonly setAside?: string;
  /** The index is the one of another spool; nothing was moved. */
  readonly notOurs?: NotOurs;
}

/** Before the store is opened. `name`: of what is moved to the quarantine. @throws as `damageOf`; what the file system says. */
export async function checkFiles(
  layout: FolderLayout,
  options: { readonly thorough: boolean; readonly name: string; readonly log: Log },
): Promise<CheckedFiles> {
  const { thorough, name, log } = options;
  const expected = await expectedOwner(layout);
  const damage = damageOf(layout.store, thorough, expected);
  const { foreign, identity } = damage;
  if (foreign.length === 0) return { damage };
  if (expected?.isCertain === true && expected.identity !== identity) {
    const reason = `the index is that of spool ${identity}: high-water.json beside it speaks of spool ${expected.identity}`;
    return { damage, notOurs: { reason, isOther: true } };
  }
  const quarantine = await setAside(layout, foreign, name + keptForOwner);
  const reason = `files of another spool stood in the store of spool ${identity}: ${foreign.join(', ')}`;
  log.error({ code: 'spool-store-swapped', reason, quarantine }, "another spool's files were quarantined");
  return { damage: damageOf(layout.store, thorough, expected), setAside: reason };
}

async function setAside(layout: FolderLayout, segments: readonly string[], name: string): Promise<string> {
  const quarantine = await newInQuarantine(layout, name);
  for (const segment of segments) {
    const [from, to] = [join(layout.store, segment), join(quarantine, segment)];
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await rename(from, to);
    for (const folder of [dirname(to), dirname(from)]) await syncFolder(folder);
  }
  return quarantine;
}
