// One simulated unit: its register image, coils, event log and what it refuses. It takes samples by
// `scan` and is read and written by address; it knows neither frames nor sockets nor time.
import { EventLog, type EventLogRange } from './event-log.ts';
import {
  commandCoils,
  firstFile,
  type LogKind,
  logDescriptor,
  maxFileCapacity,
  maxRingCapacity,
  recordBytes,
  recordRegisters,
  registersPerFile,
  ringBase,
  sampleBlock,
  setpoints,
  statusBitCount,
} from './register-map.ts';
import { encodeSample, sampleAt } from './sample.ts';

export type RegisterTable = 'holding' | 'input';
export type BitTable = 'coil' | 'discrete';

/** First and last address, both included. */
export type AddressRange = readonly [from: number, to: number];

export interface UnitOptions {
  readonly id: number;
  readonly name: string;
  readonly seed: number;
  readonly log: LogKind;
  /** Records that the event log holds; cut to what its kind can address. Ignored without a log. */
  readonly capacity: number;
}

export class PlantUnit {
  readonly id: number;
  readonly name: string;
  readonly logKind: LogKind;
  readonly log: EventLog | undefined;
  /** Registers that are answered with exception 2, in both register tables. */
  refused: readonly AddressRange[] = [];
  /** Registers a request may ask for; more is answered with exception 3. */
  maxRegisters = Number.POSITIVE_INFINITY;

  readonly #seed: number;
  readonly #image = Buffer.alloc(65536 * 2);
  readonly #holding: readonly AddressRange[];
  readonly #block = Buffer.alloc(recordBytes);
  #commands = 0;
  #number = 0;

  constructor(options: UnitOptions) {
    this.id = options.id;
    this.name = options.name;
    this.logKind = options.log;
    this.#seed = options.seed;
    this.log = makeLog(options, this.#image);
    this.#holding = holdingRanges(options.log, this.log?.capacity ?? 0);
    if (this.log) {
      this.#image.writeUInt16BE(this.log.capacity, logDescriptor.capacity * 2);
      this.#image.writeUInt16BE(recordRegisters, logDescriptor.recordLength * 2);
      this.refreshDescriptor();
    }
  }

  /** Number of the newest sample, 0 before the first. */
  get number(): number {
    return this.#number;
  }

  get range(): EventLogRange | undefined {
    return this.log && { newest: this.log.newest, oldest: this.log.oldest };
  }

  /** Takes the next sample and logs it, in one step: no request ever sees half of it. */
  scan(timestampMs: number): number {
    this.#number += 1;
    const sample = sampleAt(this.#seed, this.id, this.#number);
    encodeSample(sample, this.#number, timestampMs, this.#block, 0);
    this.#block.copy(this.#image, 0);
    this.log?.append(this.#number, this.#block);
    this.refreshDescriptor();
    return this.#number;
  }

  /** To be called after the log was changed from outside (limited, erased). */
  refreshDescriptor(): void {
    if (!this.log) return;
    this.#image.writeUInt32BE(this.log.newest >>> 0, logDescriptor.newest * 2);
    this.#image.writeUInt32BE(this.log.oldest >>> 0, logDescriptor.oldest * 2);
  }

  /** Copies registers to `out`; false if any of them does not exist or is refused. */
  copyRegisters(table: RegisterTable, address: number, count: number, out: Buffer, at: number): boolean {
    const end = address + count;
    const exists = table === 'input' ? end <= sampleBlock.length : isInside(this.#holding, address, end);
    if (!exists || this.#isRefused(address, end)) return false;
    this.#image.copy(out, at, address * 2, end * 2);
    return true;
  }

  /** Writes set points; false if any of the registers is not one. */
  writeRegisters(address: number, values: Buffer): boolean {
    const end = address + values.length / 2;
    if (address < setpoints.from || end > setpoints.from + setpoints.count) return false;
    if (this.#isRefused(address, end)) return false;
    values.copy(this.#image, address * 2);
    return true;
  }

  /** All bits that exist, from address 0, or undefined if the range leaves them. */
  readBits(table: BitTable, address: number, count: number): number | undefined {
    const size = table === 'coil' ? commandCoils.from + commandCoils.count : statusBitCount;
    if (address + count > size) return undefined;
    const status = this.#image.readUInt16BE(sampleBlock.status * 2);
    const all = table === 'coil' ? this.#commands * 2 ** commandCoils.from + status : status;
    return Math.floor(all / 2 ** address);
  }

  /** Writes command coils; false if any of them is not one. */
  writeCoils(address: number, states: readonly boolean[]): boolean {
    const first = address - commandCoils.from;
    if (first < 0 || first + states.length > commandCoils.count) return false;
    for (const [i, state] of states.entries()) {
      const mask = 1 << (first + i);
      this.#commands = state ? this.#commands | mask : this.#commands & ~mask;
    }
    return true;
  }

  /** Copies registers of a file to `out`; false where the file or the range in it does not exist. */
  copyFileRecord(file: number, offset: number, count: number, out: Buffer, at: number): boolean {
    if (this.logKind !== 'file-records' || !this.log || file < firstFile) return false;
    const from = (file - firstFile) * registersPerFile + offset;
    const end = from + count;
    if (offset + count > registersPerFile || end > this.log.capacity * recordRegisters) return false;
    this.log.memory.copy(out, at, from * 2, end * 2);
    return true;
  }

  #isRefused(from: number, end: number): boolean {
    return this.refused.some(([first, last]) => first < end && last >= from);
  }
}

function makeLog(options: UnitOptions, image: Buffer): EventLog | undefined {
  if (options.log === 'none') return undefined;
  if (options.log === 'ring') {
    return new EventLog(Math.min(options.capacity, maxRingCapacity), image.subarray(ringBase * 2));
  }
  const capacity = Math.min(options.capacity, maxFileCapacity);
  return new EventLog(capacity, Buffer.alloc(capacity * recordBytes));
}

/** The holding registers that exist. Sorted, and none touches the next. */
function holdingRanges(log: LogKind, capacity: number): readonly AddressRange[] {
  const ranges: AddressRange[] = [
    [0, sampleBlock.length - 1],
    [setpoints.from, setpoints.from + setpoints.count - 1],
  ];
  if (log !== 'none') ranges.push([logDescriptor.from, logDescriptor.from + logDescriptor.length - 1]);
  if (log === 'ring') ranges.push([ringBase, ringBase + capacity * recordRegisters - 1]);
  return ranges;
}

function isInside(ranges: readonly AddressRange[], from: number, end: number): boolean {
  return ranges.some(([first, last]) => first <= from && end <= last + 1);
}
