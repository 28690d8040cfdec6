// The equipment's own memory: the last `capacity` samples, each at a fixed place (number mod capacity).
// It knows nothing of how it is read: a ring of registers and a set of files differ only in addresses.
import { recordBytes } from './register-map.ts';

export interface EventLogRange {
  /** Number of the newest record made, 0 before the first. Stays when the log is erased. */
  readonly newest: number;
  /** Number of the oldest record held; `newest + 1` while nothing is held. */
  readonly oldest: number;
}

export class EventLog implements EventLogRange {
  readonly capacity: number;
  readonly memory: Buffer;
  #newest = 0;
  #oldest = 1;
  #limit: number;

  /** `memory` holds `capacity` records from its byte 0 on; it may be a part of a register image. */
  constructor(capacity: number, memory: Buffer) {
    if (memory.length < capacity * recordBytes) throw new RangeError('event log memory is too small');
    this.capacity = capacity;
    this.memory = memory;
    this.#limit = capacity;
  }

  get newest(): number {
    return this.#newest;
  }

  get oldest(): number {
    return this.#oldest;
  }

  /** Appends record `number`, which must follow the newest. `block` is its 26 registers. */
  append(number: number, block: Buffer): void {
    block.copy(this.memory, this.#place(number), 0, recordBytes);
    if (this.#oldest > this.#newest) this.#oldest = number;
    this.#newest = number;
    this.#expire();
  }

  /** Keeps at most `records` from now on: what falls out earlier reads as zeros. Null: all of it. */
  limit(records: number | null): void {
    this.#limit = Math.min(this.capacity, records ?? this.capacity);
    this.#expire();
  }

  /** The battery is dead: nothing is held any more. Numbers go on. */
  erase(): void {
    this.memory.fill(0, 0, this.capacity * recordBytes);
    this.#oldest = this.#newest + 1;
  }

  #place(number: number): number {
    return (number % this.capacity) * recordBytes;
  }

  #expire(): void {
    while (this.#newest - this.#oldest + 1 > this.#limit) {
      // At full capacity the place already belongs to a newer record.
      if (this.#newest - this.#oldest < this.capacity) {
        const at = this.#place(this.#oldest);
        this.memory.fill(0, at, at + recordBytes);
      }
      this.#oldest += 1;
    }
  }
}
