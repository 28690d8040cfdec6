// The files in the spool's folder beside the store, and how each is made durable.
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import { readSmallFile, replaceFile } from '../../../kernel/small-file.ts';
import { isMedium, syncFolder } from '../engine/disk.ts';

/** The version of everything that docs/FORMAT.md describes. */
export const formatVersion = 1;

export interface FolderLayout {
  readonly root: string;
  readonly store: string;
  /** A store that is being put together from a damaged one. */
  readonly newStore: string;
  readonly quarantine: string;
  readonly lock: string;
  readonly marker: string;
  /** Room for a full disk, and for a start on one: see retention/full-disk.ts. */
  readonly ballast: string;
  readonly reserve: string;
  readonly starts: string;
  /** How far the spool has come: see continuity/mark-file.ts. */
  readonly mark: string;
  /** Keys of the records, wrapped: see encryption/wrapped-keys.ts. */
  readonly keys: string;
}

/** In the name of a store that was quarantined for want of a key: it is never removed. */
export const keptForKey = '-sealed';
/** In the name of one that was set aside because it is another module's, or another spool's: the same. */
export const keptForOwner = '-of-another';

export function layoutOf(root: string): FolderLayout {
  return {
    root,
    store: join(root, 'store'),
    newStore: join(root, 'store.new'),
    quarantine: join(root, 'quarantine'),
    lock: join(root, 'lock'),
    marker: join(root, 'FORMAT.json'),
    ballast: join(root, 'ballast'),
    reserve: join(root, 'reserve'),
    keys: join(root, 'keys'),
    starts: join(root, 'starts.json'),
    mark: join(root, 'high-water.json'),
  };
}

const maxMarkerBytes = 4096;

/** `begun`: no store was complete yet. `newer`: written by a version that knows more. `unreadable`: missing, or not ours. */
export type MarkerState = 'begun' | 'ours' | 'newer' | 'unreadable';

/** `skipUnreadable`: a file that the disk does not return counts as unreadable. */
export async function readMarker(layout: FolderLayout, skipUnreadable = false): Promise<MarkerState> {
  try {
    const text = await readSmallFile(layout.marker, maxMarkerBytes);
    const marker = JSON.parse(text?.toString('utf8') ?? '') as Partial<Record<string, unknown>>;
    if (marker.holdfast !== 'spool' || !Number.isSafeInteger(marker.format)) return 'unreadable';
    const format = marker.format as number;
    if (format > formatVersion) return 'newer';
    return marker.store === 'none' ? 'begun' : 'ours';
  } catch (error) {
    const isOther = error instanceof HoldfastError && error.code === 'not-a-file';
    if (error instanceof SyntaxError || error instanceof TypeError || isOther) return 'unreadable';
    if (skipUnreadable && isMedium(error)) return 'unreadable';
    throw error;
  }
}

/** `begun`, before the first store is made: a start that was cut off then must not be taken for the loss of one. */
export async function writeMarker(layout: FolderLayout, state: 'begun' | 'ours' = 'ours'): Promise<void> {
  const store = state === 'begun' ? { store: 'none' } : {};
  const text = `${JSON.stringify({ holdfast: 'spool', format: formatVersion, ...store })}\n`;
  await replaceFile(layout.marker, text, { sync: true });
  await syncFolder(layout.root);
}
