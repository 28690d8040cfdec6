// Entries of the store in memory, as a stopped store's files would give them.

import type { EntrySource } from '../../engine/offline/entry-source.ts';
import type { MemoryStore } from '../../engine/testing/memory-store.ts';

export function sourceOf(store: MemoryStore): EntrySource {
  return {
    *scan(gte, lt) {
      for (const entry of store.entries) {
        if (Buffer.compare(entry.key, gte) >= 0 && Buffer.compare(entry.key, lt) < 0) yield entry;
      }
    },
    get: (key) => store.entries.find((entry) => Buffer.compare(entry.key, key) === 0)?.value,
  };
}
