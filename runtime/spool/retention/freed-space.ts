// Counts deleted bytes, and returns their space to the disk.
//
// The value log frees a segment as a whole, once nothing refers to it. LevelDB returns no space by itself after deletions, so the range
// that was swept is compacted. That costs little: tables that hold only deleted entries are removed without being rewritten.

import type { StoredWindowAt } from '../archive/stored-windows.ts';
import type { SpoolCore } from '../core/core.ts';
import { idKey, queuedKey, spaceBounds } from '../format/keys.ts';

export class FreedSpace {
  readonly #core: SpoolCore;
  #bytes = 0;
  #from = Number.POSITIVE_INFINITY;
  #to = 0;

  constructor(core: SpoolCore) {
    this.#core = core;
  }

  /** Deleted, and still taking room. */
  get bytes(): number {
    return this.#bytes;
  }

  note(windows: readonly StoredWindowAt[]): void {
    for (const { id, parts, bytes } of windows) {
      this.#bytes += bytes;
      this.#from = Math.min(this.#from, id);
      this.#to = Math.max(this.#to, id + parts);
    }
  }

  async compact(): Promise<void> {
    const { store, clock, log } = this.#core;
    const [from, to, freedBytes] = [this.#from, this.#to + 1, this.#bytes];
    this.#bytes = 0;
    this.#from = Number.POSITIVE_INFINITY;
    this.#to = 0;
    const startedAt = clock.monotonic();
    if (from < to) {
      for (const space of ['r', 'a', 'u', 'b', 'x'] as const) {
        await store.compactRange(idKey(space, from), idKey(space, to));
      }
      await store.compactRange(queuedKey(from, 0), queuedKey(to, 0));
    }
    const { gte, lt } = spaceBounds('i');
    await store.compactRange(gte, lt);
    const tookMs = Math.round(clock.monotonic() - startedAt);
    log.info({ freedBytes, tookMs }, 'the spool gave space back');
  }
}
