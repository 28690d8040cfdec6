// Removes acknowledged messages that were kept long enough, oldest first, a bounded piece at a time.
import type { Archive } from '../archive/archive.ts';
import {
  idsOf,
  minus,
  readStoredWindows,
  removalOps,
  type StoredWindowAt,
} from '../archive/stored-windows.ts';
import type { SpoolCore } from '../core/core.ts';
import type { LaneStore } from '../lanes/lane-store.ts';
import type { FreedSpace } from './freed-space.ts';
import type { Removal } from './retention-policy.ts';

const pageWindows = 500;
// Bound of one sweep; the next goes on.
const maxPages = 10;

export interface ArchiveSweepOptions {
  readonly core: SpoolCore;
  readonly lanes: LaneStore;
  readonly archive: Archive;
  readonly freed: FreedSpace;
  /** From when something ages that was stored at that time. */
  readonly storedSince: (storedAt: number) => number;
}

export class ArchiveSweep {
  readonly #options: ArchiveSweepOptions;
  // Where the next sweep goes on, when the last one did not get through.
  #sweptTo = 0;

  constructor(options: ArchiveSweepOptions) {
    this.#options = options;
  }

  /** True: it removed as much as one sweep may, and there is more. */
  async remove(removal: Removal): Promise<boolean> {
    const { core, storedSince } = this.#options;
    let from = Math.max(core.storedHead, this.#sweptTo);
    let freed = 0;
    for (let pages = 0; pages < maxPages; pages++) {
      const page = await readStoredWindows(core, from, pageWindows);
      const last = page.at(-1);
      const due = await this.#dueOf(page, (window, sofar) => {
        return storedSince(window.storedAt) < removal.olderThan || freed + sofar < removal.bytes;
      });
      await this.#delete(due.windows);
      freed += due.bytes;
      // While all before it is gone, the head follows.
      if (from <= core.storedHead)
        core.storedHead = due.firstKept ?? (last === undefined ? from : last.id + last.parts);
      from = last === undefined ? 0 : last.id + last.parts;
      if (last === undefined || (due.young && freed >= removal.bytes)) {
        this.#sweptTo = 0;
        return false;
      }
    }
    // A long backlog stands before what can be removed: the next sweep goes on behind it.
    this.#sweptTo = from;
    return freed > 0;
  }

  async #dueOf(page: readonly StoredWindowAt[], isDue: (window: StoredWindowAt, sofar: number) => boolean) {
    const { lanes, archive } = this.#options;
    const first = page[0];
    const last = page.at(-1);
    const windows: StoredWindowAt[] = [];
    let [bytes, young] = [0, false];
    let firstKept: number | undefined;
    if (first === undefined || last === undefined) return { windows, bytes, young, firstKept };
    const queued = await lanes.queuedIds(first.id, last.id + last.parts);
    for (const window of page) {
      const waits = archive.isPinned(window.id) || idsOf(window).some((id) => queued.has(id));
      if (!waits && isDue(window, bytes)) {
        windows.push(window);
        bytes += window.bytes;
      } else {
        firstKept ??= window.id;
        young ||= !waits;
      }
    }
    return { windows, bytes, young, firstKept };
  }

  async #delete(windows: readonly StoredWindowAt[]): Promise<void> {
    if (windows.length === 0) return;
    const { core, archive, freed } = this.#options;
    const release = archive.markRemoving(windows.map(({ id }) => id));
    try {
      const ops = windows.flatMap((window) => removalOps(window));
      await core.submit({ ops, sync: false, delta: { stored: minus(windows) } });
    } finally {
      release();
    }
    core.metrics.count('holdfast_spool_retained_out_total', {}, windows.length);
    freed.note(windows);
  }
}
