// The ordered store under the engine. Its batches are never synced: the write-ahead log has what they did.
import type { Store } from './store.ts';

export interface IndexStore extends Store {
  /** All batches so far are on the disk when it resolves. @throws as `compactRange`. */
  sync(): Promise<void>;
}
