// Verifies what lies beside the store: every file that a start reads, what should not be there, and what waits in the quarantine.
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { readSmallFile } from '../../../kernel/small-file.ts';
import { damagedKeyFiles } from '../../spool/encryption/wrapped-keys.ts';
import { type FolderLayout, layoutOf, readMarker } from '../../spool/format/folder-layout.ts';
import { findForeign } from '../../spool/repair/foreign-files.ts';
import { unsalvaged } from '../../spool/repair/quarantine.ts';
import type { Finding } from './finding.ts';

const maxSmallBytes = 1024 * 1024;

/** `root`: the spool's folder; undefined for a store that stands by itself. */
export async function verifyFolder(root: string | undefined): Promise<readonly Finding[]> {
  if (root === undefined) return [];
  const layout = layoutOf(root);
  return [
    ...(await verifyKinds(layout)),
    ...(await verifySmallFiles(layout)),
    ...(await damagedKeyFiles(layout.keys)).map((name) =>
      damage(`keys/${name}`, 'it holds no wrapped key: its copy is used, if that is whole'),
    ),
    ...verifyQuarantine(layout),
    ...namesIn(root)
      .filter((name) => name.endsWith('.new') && name !== basename(layout.newStore))
      .map((name) =>
        note(name, 'it was left by a write that did not come to its end: the next one removes it'),
      ),
    ...unknownNames(layout).map((name) => note(name, 'it is no file of a spool: nothing reads it')),
  ];
}

/** What is no file or folder where one belongs. */
async function verifyKinds(layout: FolderLayout): Promise<readonly Finding[]> {
  return (await findForeign(layout)).map(({ path, what }) => {
    const name = relative(layout.root, path);
    if (what === 'renamed')
      return damage(
        name,
        'it is not the file or folder that belongs there, or far too large: the next start renames it',
      );
    return damage(name, 'it may not be read and written: the next start changes its mode, where it can');
  });
}

async function verifySmallFiles(layout: FolderLayout): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  if ((await readMarker(layout).catch(() => 'unreadable')) === 'unreadable')
    found.push(
      damage('FORMAT.json', 'it is missing, or holds nothing of ours: the next start writes it anew'),
    );
  if (!(await holds(layout.starts, Array.isArray)))
    found.push(note('starts.json', 'it holds no times of starts: none is known of, and it is written anew'));
  // The spool's own folder, outside of a data folder, may lie among anything.
  if (basename(layout.root) !== 'spool') return found;
  for (const [name, lost] of [
    [
      'start-settings.json',
      'the next start takes the settings of the file, or the defaults, until the spool is open',
    ],
    ['last-run.json', 'how the last run ended is not known'],
  ] as const) {
    if (!(await holds(join(dirname(layout.root), name), isObject)))
      found.push(note(`../${name}`, `it is damaged: ${lost}`));
  }
  return found;
}

/** Whether the file is missing, or holds JSON of that kind. */
async function holds(path: string, isKind: (value: unknown) => boolean): Promise<boolean> {
  try {
    const bytes = await readSmallFile(path, maxSmallBytes);
    return bytes === undefined || isKind(JSON.parse(bytes.toString('utf8')));
  } catch {
    return false;
  }
}

const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function verifyQuarantine({ quarantine, newStore }: FolderLayout): readonly Finding[] {
  const waiting = namesIn(quarantine).filter((name) => name.endsWith(unsalvaged));
  const left = existsSync(newStore)
    ? [note('store.new', 'a salvage did not come to its end: the next start begins it again')]
    : [];
  return [
    ...waiting.map((name) =>
      damage(`quarantine/${name}`, 'it was not salvaged yet: a start without a store does'),
    ),
    ...left,
  ];
}

const inStore = /^(CURRENT|LOCK|LOG|LOG\.old|MANIFEST-\d+|\d+\.(ldb|sst|log|dbtmp)|wal|values)$/;
const inWal = /^\d{4,}\.wal$/;
const inValues = /^\d{8,10}\.values$/;

function unknownNames(layout: FolderLayout): readonly string[] {
  const { root, store, newStore, lock, quarantine, keys, marker, starts, mark, ballast, reserve } = layout;
  const ours = [store, newStore, lock, quarantine, keys, marker, starts, mark, ballast, reserve].map((path) =>
    basename(path),
  );
  // Written before they are renamed.
  const isOurs = (name: string) => ours.includes(name.replace(/\.new$/, ''));
  const strange = (folder: string, isKnown: (name: string) => boolean) =>
    namesIn(folder)
      .filter((name) => !isKnown(name))
      .map((name) => relative(root, join(folder, name)));
  return [
    ...strange(root, isOurs),
    ...strange(store, (name) => inStore.test(name)),
    ...strange(join(store, 'wal'), (name) => inWal.test(name)),
    ...strange(join(store, 'values'), (name) => inValues.test(name)),
  ];
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

const damage = (key: string, reason: string): Finding => ({ severity: 'damage', kind: 'file', key, reason });
const note = (key: string, reason: string): Finding => ({ severity: 'note', kind: 'file', key, reason });
