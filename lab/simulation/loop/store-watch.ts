// Looks at all that the module writes to its store: what is sealed, and how much of it waits to be sent.

import { recordKey } from '../../../runtime/spool/encryption/key-record.ts';
import type { BatchOp, Store } from '../../../runtime/spool/engine/store.ts';
import { storedOverheadBytes } from '../../../runtime/spool/format/message-record.ts';
import { keyIdOf, sealedBytes } from '../../../runtime/spool/format/sealed-envelope.ts';
import type { WorldTime } from './world-time.ts';

const space = (letter: string) => letter.charCodeAt(0);
const [messages, unsent] = [space('r'), space('u')];
/** Of the envelope of a sealed value: epoch and nonce, which no other value may have, and its tag. */
const [nonceFrom, nonceTo] = [6, 26];

export class StoreWatch {
  /** Bytes of each message, by its id. */
  readonly #messages = new Map<string, number>();
  readonly #unsent = new Set<string>();
  #unsentBytes = 0;
  /** The most that ever waited to be sent, about as the spool counts it. */
  mostUnsentBytes = 0;
  readonly #time: Pick<WorldTime, 'elapsed'>;
  /** Bytes of messages that were stored up to then. */
  readonly #stored: { readonly at: number; bytes: number }[] = [];
  /** By epoch and nonce, the tag of the value that was sealed with them. */
  readonly #nonces = new Map<string, string>();
  /** What was written that must not be, in words. */
  readonly faults: string[] = [];

  constructor(time: Pick<WorldTime, 'elapsed'>) {
    this.#time = time;
  }

  /** Bytes of messages that were stored since then. */
  storedSince(at: number): number {
    const before = this.#stored.findLast((each) => each.at < at)?.bytes ?? 0;
    return (this.#stored.at(-1)?.bytes ?? 0) - before;
  }

  /** A store that is watched. `keyId`: what is written is to be sealed with that key. */
  over(store: Store, keyId: string | undefined): Store {
    return new Proxy(store, {
      get: (of, name) => {
        const member = Reflect.get(of, name);
        if (name === 'batch')
          return (ops: readonly BatchOp[], options: { readonly sync: boolean }) => {
            for (const op of ops) this.#see(op, keyId);
            return of.batch(ops, options);
          };
        return typeof member === 'function' ? member.bind(of) : member;
      },
    });
  }

  /** The store is gone, with all that it held. */
  forget(): void {
    this.#messages.clear();
    this.#unsent.clear();
    this.#unsentBytes = 0;
  }

  #see(op: BatchOp, keyId: string | undefined): void {
    if (op.type === 'put') this.#seeSeal(op.key, op.value, keyId);
    const id = Buffer.from(op.key).toString('latin1', 1);
    if (op.key[0] === messages) {
      if (op.type === 'put') this.#keep(id, op.value.byteLength + storedOverheadBytes);
      else {
        this.#leave(id);
        this.#messages.delete(id);
      }
    }
    if (op.key[0] !== unsent) return;
    if (op.type === 'del') this.#leave(id);
    else if (!this.#unsent.has(id)) {
      this.#unsent.add(id);
      this.#unsentBytes += this.#messages.get(id) ?? 0;
      this.mostUnsentBytes = Math.max(this.mostUnsentBytes, this.#unsentBytes);
    }
  }

  #keep(id: string, bytes: number): void {
    // A batch that the disk refused is written again.
    if (this.#messages.has(id)) return;
    this.#messages.set(id, bytes);
    this.#stored.push({ at: this.#time.elapsed, bytes: (this.#stored.at(-1)?.bytes ?? 0) + bytes });
  }

  #leave(id: string): void {
    if (this.#unsent.delete(id)) this.#unsentBytes -= this.#messages.get(id) ?? 0;
  }

  #seeSeal(key: Uint8Array, value: Uint8Array, keyId: string | undefined): void {
    if (keyId === undefined || recordKey.equals(key)) return;
    const what = Buffer.from(key).toString('latin1', 0, 1);
    if (keyIdOf(value) !== keyId) this.#fault(`${what} is written unsealed`);
    else {
      const bytes = Buffer.from(value.buffer, value.byteOffset, sealedBytes);
      const nonce = bytes.toString('latin1', nonceFrom, nonceTo);
      const tag = bytes.toString('latin1', nonceTo);
      const before = this.#nonces.get(nonce);
      this.#nonces.set(nonce, tag);
      // A batch that the disk refused is written again as it was.
      if (before !== undefined && before !== tag) this.#fault(`${what} has the nonce of another value`);
    }
  }

  #fault(what: string): void {
    if (!this.faults.includes(what)) this.faults.push(what);
  }
}
