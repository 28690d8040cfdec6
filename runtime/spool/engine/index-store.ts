// The ordered store under the split store. Its batches are never synced: what they did is in the commit log too.
import type { Store } from './store.ts';

export interface IndexStore extends Store {
  /** All batches so far are on the disk when it resolves. @throws as `compactRange`. */
  flush(): Promise<void>;
}
