// Finds out how many registers a device gives in one request, where it does not refuse larger ones in the way that the protocol has
// for that (exceptions 2 and 3): some answer with another exception, some with less than was asked, some close the
// connection. That the size is the reason is only believed where both halves of what failed were answered.
import type { HoldfastError } from '../../../kernel/errors.ts';
import { isBitTable } from '../codec/fields.ts';
import type { LearnedStore } from '../learned.ts';
import { ModbusException } from './modbus-errors.ts';
import type { BlockData } from './read-pass.ts';
import { type Block, type Item, splitBlock } from './read-plan.ts';

/** Requests of one search: to a register of 125, with both halves at each step, and some more. */
const maxReads = 24;
/** After a search that found nothing there is no other for so long: the device is busy, not small. */
const restMs = 600_000;
/** Passes in which the size was the reason, before it is learned; connections that were lost over one request. */
const timesToBelieve = 2;
const maxWaitMs = 86_400_000;
const learnedAs = 'maxRegisters';

/** The size of the request may be what the device objects to. */
export function mayBeSize(error: HoldfastError): boolean {
  if (error instanceof ModbusException) return error.isOfUnit;
  return error.code === 'modbus-garbage';
}

export interface Found<I extends Item> {
  readonly data: readonly BlockData<I>[];
  readonly failed: readonly Block<I>[];
  /** So many registers were given where more were not. */
  readonly limit: number | undefined;
  /** Behind a hole over which nothing was given, though what lies before and behind it was. */
  readonly behindHoles: readonly Block<I>[];
}

/** Reads the parts of `block`, which failed as a whole. `read` may throw what ends the pass. */
export async function searchWithin<I extends Item>(
  block: Block<I>,
  read: (block: Block<I>) => Promise<Buffer | HoldfastError>,
): Promise<Found<I>> {
  const data: BlockData<I>[] = [];
  const failed: Block<I>[] = [];
  const behindHoles: Block<I>[] = [];
  let limit: number | undefined;
  let reads = 0;
  const tryOne = async (part: Block<I>): Promise<boolean> => {
    reads += 1;
    const answer = await read(part);
    if (Buffer.isBuffer(answer)) data.push({ block: part, bytes: answer });
    return Buffer.isBuffer(answer);
  };
  /** Of a block that failed as a whole. */
  const search = async (whole: Block<I>): Promise<void> => {
    const halves = reads + 2 <= maxReads ? splitBlock(whole) : undefined;
    if (!halves) return void failed.push(whole);
    const [first, second] = halves;
    const areGiven = [await tryOne(first), await tryOne(second)];
    if (areGiven[0] && areGiven[1]) {
      // Over a hole it may be what lies there.
      if (first.count + second.count !== whole.count) behindHoles.push(second);
      else if (!isBitTable(whole.table))
        limit = Math.min(limit ?? whole.count, Math.max(first.count, second.count));
      return;
    }
    const before = data.length;
    if (!areGiven[0]) await search(first);
    if (areGiven[1]) return;
    // Where nothing at all is given it is no matter of size.
    if (!areGiven[0] && data.length === before) failed.push(second);
    else await search(second);
  };
  await search(block);
  return { data, failed, limit, behindHoles };
}

export interface RequestSizeOptions {
  /** Of the configuration. */
  readonly maxRegisters: number;
  /** No request can be smaller. */
  readonly widest: number;
  readonly retryMs: number;
  readonly learned: LearnedStore | undefined;
  /**
   * Values stand beside a stamp or a number, and are of one record as long as one answer holds them: what may be a passing failure is
   * no reason to read them in two.
   */
  readonly isRecord: boolean;
}

/** The largest request, as far as it is known. */
export class RequestSize {
  readonly #options: RequestSizeOptions;
  #limit: number | undefined;
  #isKept: boolean;
  #since = 0;
  #waitMs: number;
  #suspected: number | undefined;
  #times = 0;
  #restUntil = Number.NEGATIVE_INFINITY;
  #deadly: string | undefined;
  #deaths = 0;
  /** The most registers that one answer had. */
  #largest = 0;
  /** A limit that is believed once what is larger fails again. */
  #unconfirmed: number | undefined;

  constructor(options: RequestSizeOptions, now: number) {
    this.#options = options;
    this.#waitMs = options.retryMs;
    const known = options.learned?.get()[learnedAs];
    this.#isKept = typeof known === 'number' && known >= 1 && known < options.maxRegisters;
    if (this.#isKept) this.#set(known as number, now);
  }

  get maxRegisters(): number {
    const { maxRegisters, widest } = this.#options;
    return Math.max(widest, Math.min(maxRegisters, this.#limit ?? maxRegisters));
  }

  /** It may have been forgotten, or have passed. */
  isDue(now: number): boolean {
    if (this.#limit === undefined) return false;
    return this.#isForgotten || now - this.#since >= this.#waitMs;
  }

  /** The next pass asks for as much as the configuration allows. */
  tryLarger(now: number): void {
    this.#waitMs = this.#isForgotten
      ? this.#options.retryMs
      : Math.min(2 * this.#waitMs, Math.max(maxWaitMs, this.#waitMs));
    // Once more is enough then.
    this.#suspected = this.#limit;
    this.#times = timesToBelieve - 1;
    this.#limit = undefined;
    this.#since = now;
  }

  isWorthASearch(now: number): boolean {
    return !this.#options.isRecord && now >= this.#restUntil;
  }

  /** A search in one pass found `limit`, or nothing at all. True where it is now believed. */
  found(limit: number | undefined, isAnything: boolean, now: number): boolean {
    if (!isAnything) this.#restUntil = now + restMs;
    if (limit === undefined) return false;
    this.#times = this.#suspected === limit ? this.#times + 1 : 1;
    this.#suspected = limit;
    if (this.#times < timesToBelieve) return false;
    this.#set(limit, now);
    this.#keep();
    return true;
  }

  /** A request for so many registers was answered. */
  gave(registers: number): void {
    this.#largest = Math.max(this.#largest, registers);
  }

  /** The connection was lost over this request, or nothing at all came. True where the limit is another from now on. */
  wasDeadly({ table, address, count }: Block<Item>, now: number): boolean {
    if (this.#options.isRecord) return false;
    if (isBitTable(table) || count <= this.#largest) return false;
    if (this.#unconfirmed !== undefined && this.#limit === undefined) {
      this.#set(this.#unconfirmed, now);
      this.#unconfirmed = undefined;
      this.#keep();
      return true;
    }
    const place = `${table} ${address} ${count}`;
    this.#deaths = this.#deadly === place ? this.#deaths + 1 : 1;
    this.#deadly = place;
    if (this.#deaths < timesToBelieve) return false;
    this.#deaths = 0;
    const limit = Math.ceil(count / 2);
    // It is no matter of size.
    if (limit === count || limit < this.#options.widest) this.#limit = undefined;
    else this.#set(limit, now);
    return true;
  }

  /** A pass went well. True where the limit is another from now on. */
  proven(): boolean {
    this.#deadly = undefined;
    if (this.#limit === undefined) {
      this.#unconfirmed = undefined;
      if (!this.#isKept) return false;
      this.#isKept = false;
      this.#waitMs = this.#options.retryMs;
      this.#options.learned?.note(learnedAs, undefined);
      return false;
    }
    if (this.#isKept) return false;
    this.#unconfirmed = this.#limit;
    this.#limit = undefined;
    return true;
  }

  get #isForgotten(): boolean {
    const { learned } = this.#options;
    return learned !== undefined && this.#isKept && learned.get()[learnedAs] === undefined;
  }

  #set(limit: number, now: number): void {
    this.#limit = limit;
    this.#since = now;
  }

  #keep(): void {
    this.#isKept = true;
    this.#options.learned?.note(learnedAs, this.#limit);
  }
}
