// Records what a unit answered, and when: the ground truth of a plain polled device, which stamps nothing itself. Fixed
// arrays used as a ring, 17 bytes an entry, so that a load test cannot fill the memory.
import { sampleBlock, statusBits } from './register-map.ts';
import { sampleAt, type TagValues, tagValues } from './sample.ts';

export interface ShownEntry {
  /** Wall clock, epoch ms, just before the answer was written to the connection. */
  readonly at: number;
  /** Number of the sample that was shown. */
  readonly number: number;
  /** Modbus function code, first address and count of the request. */
  readonly function: number;
  readonly address: number;
  readonly count: number;
  /** Those tags that lie wholly inside what was read. */
  readonly values: Partial<TagValues>;
}

export interface ShownLogOptions {
  readonly seed: number;
  readonly unit: number;
  /** Entries kept; the oldest is forgotten first, and counted. */
  readonly limit: number;
}

export class ShownLog {
  readonly #options: ShownLogOptions;
  readonly #at: Float64Array;
  readonly #number: Uint32Array;
  readonly #function: Uint8Array;
  readonly #address: Uint16Array;
  readonly #count: Uint16Array;
  #total = 0;

  constructor(options: ShownLogOptions) {
    this.#options = options;
    this.#at = new Float64Array(options.limit);
    this.#number = new Uint32Array(options.limit);
    this.#function = new Uint8Array(options.limit);
    this.#address = new Uint16Array(options.limit);
    this.#count = new Uint16Array(options.limit);
  }

  get forgotten(): number {
    return Math.max(0, this.#total - this.#options.limit);
  }

  /** Notes one answered read: functions 1 to 4. */
  add(at: number, number: number, functionCode: number, address: number, count: number): void {
    const slot = this.#total % this.#options.limit;
    this.#at[slot] = at;
    this.#number[slot] = number;
    this.#function[slot] = functionCode;
    this.#address[slot] = address;
    this.#count[slot] = count;
    this.#total += 1;
  }

  /** In the order they were shown; `from` and `to` bound `at`, half-open. */
  *entries(from = -Infinity, to = Infinity): Generator<ShownEntry> {
    for (let i = this.forgotten; i < this.#total; i++) {
      const slot = i % this.#options.limit;
      const at = this.#at[slot]!;
      if (at >= from && at < to) yield this.#entry(slot, at);
    }
  }

  #entry(slot: number, at: number): ShownEntry {
    const number = this.#number[slot]!;
    const shown = {
      function: this.#function[slot]!,
      address: this.#address[slot]!,
      count: this.#count[slot]!,
    };
    const values = tagValues(sampleAt(this.#options.seed, this.#options.unit, number));
    const isInside = shown.function <= 2 ? isBitInside : isRegisterInside;
    const tags = Object.entries(values).filter(([tag]) => isInside(tag, shown.address, shown.count));
    return { at, number, ...shown, values: Object.fromEntries(tags) };
  }
}

const registersOf: Readonly<Record<keyof TagValues, readonly [address: number, count: number]>> = {
  temperature: [sampleBlock.temperature, 2],
  pressure: [sampleBlock.pressure, 2],
  flow: [sampleBlock.flow, 2],
  energy: [sampleBlock.energy, 4],
  status: [sampleBlock.status, 1],
  running: [sampleBlock.status, 1],
  alarm: [sampleBlock.status, 1],
  door: [sampleBlock.status, 1],
  level: [sampleBlock.level, 1],
  label: [sampleBlock.label, 8],
};

function isRegisterInside(tag: string, address: number, count: number): boolean {
  const [first, length] = registersOf[tag as keyof TagValues];
  return first >= address && first + length <= address + count;
}

function isBitInside(tag: string, address: number, count: number): boolean {
  if (!(tag in statusBits)) return false;
  const bit = statusBits[tag as keyof typeof statusBits];
  return bit >= address && bit < address + count;
}
