// Where rules touch the commit of all streams: they hear of each change once it is on the disk, and what they note is
// written with the rows that it belongs to, or not at all.
//
// Why that is atomic: a row and its notes are given here in one turn of the event loop, and the contents of a commit are fixed
// in one turn, too. So a commit that has the row has its notes.
import { describeError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { StreamChange, WindowStore } from '../../windows/window-store.ts';

export class CommitTap {
  readonly #log: Log;
  #notes = new Map<string, unknown>();
  #after: (() => void)[] = [];
  readonly #listeners = new Set<(changes: readonly StreamChange[]) => void>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Written with the next commit; undefined removes a note. Whoever notes emits a row in the same turn. */
  note(name: string, value: unknown): void {
    this.#notes.set(name, value);
  }

  /** Once what was noted and emitted so far is durable. */
  afterCommit(work: () => void): void {
    this.#after.push(work);
  }

  /** Hears of each commit once it is durable. */
  onCommit(listener: (changes: readonly StreamChange[]) => void): void {
    this.#listeners.add(listener);
  }

  over(inner: WindowStore): WindowStore {
    return {
      openStream: (batchId, index) => inner.openStream(batchId, index),
      commitWindows: async (changes) => {
        const [notes, after] = [this.#notes, this.#after];
        [this.#notes, this.#after] = [new Map(), []];
        const encoded = await inner.commitWindows(changes, notes.size === 0 ? undefined : notes);
        for (const work of after) this.#run(work);
        for (const listener of this.#listeners) this.#run(() => listener(changes));
        return encoded;
      },
    };
  }

  /** Whatever goes wrong with a rule, the commit has succeeded. */
  #run(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#log.error({ reason: describeError(error) }, 'rules failed over a commit');
    }
  }
}
