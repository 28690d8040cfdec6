// The units behind one port, with what is wrong with each. Decides what happens to a request (answered now,
// later, not at all, or with spoiled bytes); the server only carries that out.
import { type Random, seededRandom } from '../../kernel/random.ts';
import { type Faults, mergeFaults, noFaults, type UnitFaults } from './faults.ts';
import { chooseGarbage, type Framing, type GarbageKind } from './garbage.ts';
import { answerPdu, exceptions, writeException } from './pdu.ts';
import type { ShownLog } from './shown-log.ts';
import type { Truth } from './truth.ts';
import type { PlantUnit } from './unit.ts';

/** One unit with everything kept about it. */
export interface DeviceUnit {
  /** On the serial bus; Modbus TCP reaches such a unit too, as through a gateway. */
  readonly isOnBus: boolean;
  readonly unit: PlantUnit;
  readonly truth: Truth;
  /** Only where what was shown is part of the truth. */
  readonly shown: ShownLog | undefined;
  /** What its clock is ahead of the plant's, ms. */
  clockOffsetMs: number;
  readonly counts: UnitCounts;
}

export interface UnitCounts {
  requests: number;
  answers: number;
  /** Of the answers. */
  exceptions: number;
  /** Of the answers. */
  spoiled: number;
  /** Requests that were taken and never answered. */
  ignored: number;
}

export class Device {
  readonly units: ReadonlyMap<number, DeviceUnit>;
  readonly random: Random;
  readonly #now: () => number;
  #faults: Faults = noFaults;
  /** By unit number; empty while all is well, so that a healthy request pays one lookup. */
  #unitFaults = new Map<number, UnitFaults>();
  #spoiled = 0;

  constructor(units: ReadonlyMap<number, DeviceUnit>, seed: number, now: () => number) {
    this.units = units;
    this.random = seededRandom(seed);
    this.#now = now;
  }

  get faults(): Faults {
    return this.#faults;
  }

  /** @throws z.ZodError that names every wrong field; then nothing has changed */
  setFaults(patch: unknown): Faults {
    this.#faults = mergeFaults(this.#faults, patch);
    this.#unitFaults = new Map(Object.entries(this.#faults.units).map(([id, f]) => [Number(id), f]));
    for (const { unit } of this.units.values()) {
      const faults = this.#unitFaults.get(unit.id);
      unit.refused = faults?.refuse ?? [];
      unit.maxRegisters = faults?.maxRegisters ?? Number.POSITIVE_INFINITY;
      unit.log?.limit(faults?.historyRecords ?? null);
      unit.refreshDescriptor();
    }
    return this.#faults;
  }

  unitFaults(unitId: number): UnitFaults | undefined {
    return this.#unitFaults.get(unitId);
  }

  isOnBus(unitId: number): boolean {
    return this.units.get(unitId)?.isOnBus ?? false;
  }

  /** One scan of every unit that has power. */
  scan(timestampMs: number): void {
    for (const entry of this.units.values()) {
      if (this.#unitFaults.get(entry.unit.id)?.off) continue;
      const stamped = timestampMs + entry.clockOffsetMs;
      entry.truth.add(entry.unit.scan(stamped), stamped);
    }
  }

  /** Whether the request will be answered at all. Counts it. */
  takes(unitId: number, request: Buffer): boolean {
    const counts = this.units.get(unitId)?.counts;
    if (counts) counts.requests += 1;
    const faults = this.#unitFaults.get(unitId);
    if (!faults?.silent && !faults?.off && !isMute(faults?.mute, request)) return true;
    if (counts) counts.ignored += 1;
    return false;
  }

  /** How the answer is to be spoiled, if at all. To be asked once an answer. */
  garbageFor(unitId: number, framing: Framing): GarbageKind | undefined {
    const fault = this.#unitFaults.get(unitId)?.garbage;
    const kind = chooseGarbage(fault, framing, this.#spoiled, this.random);
    if (kind) this.#spoiled += 1;
    return kind;
  }

  /**
   * Writes the answer's PDU to `out` from byte `at` on; returns its length. An answer that will be spoiled
   * (`isSpoiled`) shows nothing.
   */
  answer(unitId: number, request: Buffer, out: Buffer, at: number, isSpoiled = false): number {
    const entry = this.units.get(unitId);
    if (!entry) return writeException(request[0]!, exceptions.gatewayTargetFailed, out, at);
    const { busy, maxRegistersException, ...faults } = this.#unitFaults.get(unitId) ?? {};
    const isBusy = busy !== undefined && this.#now() % busy.everyMs < busy.forMs;
    const exception = isBusy ? busy.exception : faults.exception;
    const length = exception
      ? writeException(request[0]!, exception, out, at)
      : answerPdu(entry.unit, request, out, at);
    entry.counts.answers += 1;
    const isException = out[at]! >= 0x80;
    const isTooLarge = isRead(request) && request.readUInt16BE(3) > entry.unit.maxRegisters;
    if (isException && isTooLarge && !exception) out[at + 1] = maxRegistersException ?? out[at + 1]!;
    if (isException) entry.counts.exceptions += 1;
    else if (isSpoiled) entry.counts.spoiled += 1;
    else if (entry.shown && request[0]! <= 4) this.#noteShown(entry.shown, entry.unit, request);
    return length;
  }

  #noteShown(shown: ShownLog, unit: PlantUnit, request: Buffer): void {
    shown.add(this.#now(), unit.number, request[0]!, request.readUInt16BE(1), request.readUInt16BE(3));
  }
}

function isRead(request: Buffer): boolean {
  return request[0]! <= 4 && request.length >= 5;
}

/** A read over one of these registers. */
function isMute(ranges: readonly (readonly [number, number])[] = [], request: Buffer): boolean {
  if (!isRead(request)) return false;
  const start = request.readUInt16BE(1);
  const end = start + request.readUInt16BE(3);
  return ranges.some(([first, last]) => first < end && last >= start);
}
