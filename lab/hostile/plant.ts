// Where a fault can be planted into the module, so that the run is known to be able to find it.
import type { Source, SourceSink } from '../../runtime/sources/source.ts';
import type { WindowStore } from '../../runtime/windows/window-store.ts';

export interface Plant {
  /** In place of the adapter's source. */
  readonly source?: (inner: Source) => Source;
  /** Between adapter and windows. */
  readonly sink?: (inner: SourceSink) => SourceSink;
  /** Between windows and the disk. */
  readonly disk?: (inner: WindowStore) => WindowStore;
  /** Late windows claim what lies between their readings. */
  readonly lateClaims?: boolean;
}

export const noPlant: Plant = {};
