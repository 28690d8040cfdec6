import type { Entry } from '../engine/store.ts';
import { idOf } from '../format/keys.ts';

/** Entries of one key space, taken id by id. */
export class Cursor {
  readonly #entries: Iterator<Entry>;
  #head: Entry | undefined;

  constructor(entries: Iterable<Entry>) {
    this.#entries = entries[Symbol.iterator]();
    this.#advance();
  }

  get id(): number {
    return this.#head === undefined ? Number.POSITIVE_INFINITY : idOf(this.#head.key);
  }

  takeAt(id: number): Entry[] {
    const taken: Entry[] = [];
    while (this.#head !== undefined && this.id === id) {
      taken.push(this.#head);
      this.#advance();
    }
    return taken;
  }

  takeBelow(id: number): Entry[] {
    const taken: Entry[] = [];
    while (this.#head !== undefined && this.id < id) taken.push(...this.takeAt(this.id));
    return taken;
  }

  close(): void {
    this.#entries.return?.();
  }

  // A key of a wrong length names no message; verify reports it.
  #advance(): void {
    do {
      const next = this.#entries.next();
      this.#head = next.done ? undefined : next.value;
    } while (this.#head !== undefined && ![7, 13].includes(this.#head.key.byteLength));
  }
}
