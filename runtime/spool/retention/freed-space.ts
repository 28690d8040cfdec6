// Counts deleted bytes, and returns their space to the disk.
//
// The value log frees a segment as a whole, once nothing refers to it, which costs nothing. The index, LevelDB, returns no space by itself
// after deletions: what lies between is written anew, more of it the larger the archive. So it is compacted once a fifth
// of its messages are deleted, which costs a message the same whatever the size of the archive.

import type { StoredWindowAt } from '../archive/stored-windows.ts';
import type { SpoolCore } from '../core/core.ts';
import { idKey, queuedKey, spaceBounds } from '../format/keys.ts';

export class FreedSpace {
  readonly #core: SpoolCore;
  #bytes = 0;
  /** Messages deleted since the index was compacted. */
  #deleted = 0;
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
      this.#deleted += parts;
      this.#from = Math.min(this.#from, id);
      this.#to = Math.max(this.#to, id + parts);
    }
  }

  /** The room of values now, that of the index if it is worth it. */
  async giveBack(): Promise<void> {
    const { store, clock, log, totals } = this.#core;
    if (this.#deleted * 4 >= totals.stored.messages) return this.compact();
    const [freedBytes, startedAt] = [this.#bytes, clock.monotonic()];
    this.#bytes = 0;
    await store.collectGarbage();
    log.debug({ freedBytes, tookMs: Math.round(clock.monotonic() - startedAt) }, 'the spool gave space back');
  }

  async compact(): Promise<void> {
    const { store, clock, log } = this.#core;
    const [from, to, freedBytes] = [this.#from, this.#to + 1, this.#bytes];
    this.#bytes = 0;
    this.#deleted = 0;
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
