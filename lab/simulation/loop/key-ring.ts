// The keys that the spool of a gateway is sealed with, one start after the other: none, one, another, none again. Those before are
// kept, as a site keeps them, unless they are lost.
import { type Random, randomInt } from '../../../kernel/random.ts';
import { type MasterKey, toMasterKey } from '../../../runtime/spool/encryption/master-key.ts';
import { createSealedCodec } from '../../../runtime/spool/encryption/sealed-codec.ts';
import { plainCodec, type RecordCodec } from '../../../runtime/spool/format/record.ts';

export class KeyRing {
  readonly #random: Random;
  #current: MasterKey | undefined;
  #previous: readonly MasterKey[] = [];

  constructor(random: Random, isSealed: boolean) {
    this.#random = random;
    if (isSealed) this.#current = this.#draw();
  }

  /** `isLost`: those before are gone. Each third change takes the seal away. */
  change(isLost: boolean): void {
    const before = this.#current === undefined ? [] : [this.#current];
    this.#previous = isLost ? [] : [...before, ...this.#previous];
    const isPlain = this.#current !== undefined && randomInt(this.#random, 3) === 0;
    this.#current = isPlain ? undefined : this.#draw();
  }

  /** For one process. */
  codec(): RecordCodec {
    const [current, previous] = [this.#current, this.#previous];
    if (current === undefined && previous.length === 0) return plainCodec;
    const entropy = (target: Uint8Array) => this.#fill(target);
    return createSealedCodec({ ...(current && { current }), previous, entropy });
  }

  #draw(): MasterKey {
    const bytes = Buffer.alloc(32);
    this.#fill(bytes);
    return toMasterKey(bytes);
  }

  #fill(target: Uint8Array): void {
    for (let at = 0; at < target.byteLength; at++) target[at] = Math.floor(this.#random.next() * 256);
  }
}
