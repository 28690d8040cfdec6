// Reads the blocks of a plan, and learns which registers a device refuses.
//
// An exception is asked about once more before anything follows from it: many pass. That the device does not know a
// function or an address (exceptions 1, 2, 3) is then believed: the block is halved until what it refuses is known, that is
// left out of later polls, and tried again now and then, since a device may have been restarting when it refused. Any
// other exception is a failed request: its items have no value this time, and the rest is read all the same.
//
// What is not there is certain only once it was refused again, ten seconds later or more, in the same session. Before that it may be there in a
// moment, and a null in place of a value that the device keeps in its memory would hide that it is to be had.
import type { Clock } from '../../../kernel/clock.ts';
import { isBitTable, type RegisterTable } from '../codec/fields.ts';
import type { ModbusClient } from './modbus-client.ts';
import { ModbusException } from './modbus-errors.ts';
import { type Barrier, type Block, type Item, type PlanLimits, planReads, splitBlock } from './read-plan.ts';

export interface BlockData<I extends Item> {
  readonly block: Block<I>;
  readonly bytes: Buffer;
}

export interface Refusal {
  /** The exception's name, as it goes into a quality. */
  readonly reason: string;
  /** Where it is a failed request of this pass. */
  readonly exception?: ModbusException;
}

export interface BlockReaderOptions<I extends Item> {
  readonly unit: number;
  readonly items: readonly I[];
  /** The item whose block is read before all others. */
  readonly first?: I;
  readonly limits: PlanLimits;
  readonly refusedRetryMs: number;
  readonly clock: Clock;
  /** Called when an item turns out to be refused, and (without a reason) when it may no longer be. */
  readonly onRefusal?: (item: I, reason: string | undefined) => void;
}

export interface ReadPass<I extends Item> {
  readonly data: readonly BlockData<I>[];
  /** Items without a value, with what the device said. */
  readonly missing: ReadonlyMap<I, Refusal>;
  /** What is missing has been for long: it is not to be had in a moment. */
  readonly isCertain: boolean;
  /** The plan changed on the way: the order in which blocks were read was not the plan's. */
  readonly isLearning: boolean;
}

interface Refused extends Refusal {
  retryAt: number;
  /** The wait after the next failed try. */
  waitMs: number;
  isConfirmed: boolean;
  /** Of the session in which it was refused. */
  client: ModbusClient | undefined;
}

/** A device that is starting up refuses what it gives a moment later: so the first wait is short, later ones double. */
const firstRetryMs = 10_000;

interface Cut extends Barrier {
  /** Monotonic ms. */
  readonly since: number;
}

/** For what a device refuses of one block of the plan. */
interface Search {
  readonly cuts: Cut[];
  isFound: boolean;
}

interface Part<I extends Item> {
  readonly block: Block<I>;
  readonly search: Search;
}

export class BlockReader<I extends Item> {
  readonly #options: BlockReaderOptions<I>;
  readonly #refused = new Map<I, Refused>();
  /** Since when requests for an item fail, in every pass of one session, monotonic ms. */
  #failing: ReadonlyMap<I, number> = new Map();
  /** The same, before this pass. */
  #failedBefore: ReadonlyMap<I, number> = new Map();
  /** Of the last pass: each session has its own. */
  #client: ModbusClient | undefined;
  /** Places that a request may not read over, without an item that is refused there. */
  #cuts: readonly Cut[] = [];
  #blocks: readonly Block<I>[];

  constructor(options: BlockReaderOptions<I>) {
    this.#options = options;
    this.#blocks = this.#plan();
  }

  /** Requests that a pass takes. */
  get requests(): number {
    return this.#blocks.length;
  }

  /** One pass over all blocks that the device does not refuse. Rejects with the first error that is no exception. */
  async read(client: ModbusClient): Promise<ReadPass<I>> {
    this.#begin(client);
    // Where everything is refused, something must still be asked, or a dead connection would look alive.
    if (this.#blocks.length === 0 && !(await this.#retry(client))) return this.#passOf([], new Map(), false);
    const pending: Part<I>[] = this.#blocks.map((block) => ({ block, search: { cuts: [], isFound: false } }));
    const searches = new Set<Search>();
    const data: BlockData<I>[] = [];
    const failed = new Map<I, Refusal>();
    try {
      // Bounded: each block is read once, or replaced by two smaller ones.
      for (let part = pending.shift(); part; part = pending.shift()) {
        const { block, search } = part;
        const answer = await this.#ask(client, block);
        if (Buffer.isBuffer(answer)) data.push({ block, bytes: answer });
        else if (answer.isRefusal) {
          searches.add(search);
          pending.unshift(...this.#learn(part, answer.exceptionName));
        } else {
          for (const item of block.items)
            failed.set(item, { reason: answer.exceptionName, exception: answer });
        }
      }
    } finally {
      // What was learned is kept even if the pass is cut short, or a slow device would never be learned at all.
      this.#keep(searches);
    }
    const [failure] = failed.values();
    // Nothing at all was to be had, and that may pass.
    if (data.length === 0 && failure) throw failure.exception;
    return this.#passOf(data, failed, searches.size > 0);
  }

  /** Something was refused long enough ago to ask for it again. */
  get isRetryDue(): boolean {
    const now = this.#options.clock.monotonic();
    if (this.#cuts.some((cut) => this.#isOld(cut, now))) return true;
    return [...this.#refused.values()].some(({ retryAt }) => retryAt <= now);
  }

  /** Asks once more for what was refused longest ago, if its time has come. Never rejects: the next poll will. */
  async retryRefused(client: ModbusClient): Promise<void> {
    const now = this.#options.clock.monotonic();
    const [due] = [...this.#refused].find(([, { retryAt }]) => retryAt <= now) ?? [];
    if (due) return void (await this.#retry(client, due).catch(() => false));
    // The next pass reads over what it could not read over, and finds out whether it can.
    this.#cuts = this.#cuts.filter((cut) => !this.#isOld(cut, now));
    this.#blocks = this.#plan();
  }

  /** What fails on both sides of an outage may have passed in between: it counts anew after a pass that was cut short. */
  #begin(client: ModbusClient): void {
    this.#failedBefore = client === this.#client ? this.#failing : new Map();
    this.#failing = new Map();
    this.#client = client;
  }

  #passOf(data: readonly BlockData<I>[], failed: ReadonlyMap<I, Refusal>, isLearning: boolean): ReadPass<I> {
    const now = this.#options.clock.monotonic();
    this.#failing = new Map([...failed.keys()].map((item) => [item, this.#failedBefore.get(item) ?? now]));
    const isCertain =
      [...this.#failing.values()].every((since) => now - since >= firstRetryMs) &&
      [...this.#refused.values()].every(({ isConfirmed }) => isConfirmed);
    return { data, missing: new Map<I, Refusal>([...this.#refused, ...failed]), isCertain, isLearning };
  }

  /** Reads a block; a second time where the device says no. It refuses what it has refused twice. */
  async #ask(client: ModbusClient, block: Block<I>): Promise<Buffer | ModbusException> {
    const first = await this.#readBlock(client, block).catch(asException);
    if (Buffer.isBuffer(first)) return first;
    const second = await this.#readBlock(client, block).catch(asException);
    return Buffer.isBuffer(second) || first.isRefusal ? second : first;
  }

  /** The block is refused: two smaller ones in its place, or none where its items are what is refused. */
  #learn({ block, search }: Part<I>, reason: string): readonly Part<I>[] {
    const halves = splitBlock(block);
    if (!halves) {
      search.isFound = true;
      this.#refuse(block, reason);
      return [];
    }
    const since = this.#options.clock.monotonic();
    search.cuts.push({ table: block.table, address: halves[1].address, width: 0, since });
    return halves.map((half) => ({ block: half, search }));
  }

  /** Where a search has ended at what is refused, the places that it was halved at on the way mean nothing. */
  #keep(searches: ReadonlySet<Search>): void {
    if (searches.size === 0) return;
    const cuts = [...searches].flatMap((search) => (search.isFound ? [] : search.cuts));
    this.#cuts = [...this.#cuts, ...cuts];
    this.#blocks = this.#plan();
  }

  /** True when `item` (by default the first refused one) is no longer refused: then all is planned anew. */
  async #retry(client: ModbusClient, item = this.#options.items[0]!): Promise<boolean> {
    const [block] = planReads([item], this.#options.limits);
    try {
      await this.#readBlock(client, block!);
    } catch (error) {
      const isRefused = error instanceof ModbusException && error.isRefusal;
      this.#postpone(block!, isRefused ? client : undefined);
      if (isRefused) return false;
      throw error;
    }
    // The device has changed: what else it refuses, and which holes it minds, is learned again.
    for (const [each] of this.#refused) this.#options.onRefusal?.(each, undefined);
    this.#refused.clear();
    this.#cuts = [];
    this.#blocks = this.#plan();
    return true;
  }

  #plan(): readonly Block<I>[] {
    const { items, limits, first } = this.#options;
    const barriers: readonly Barrier[] = [...this.#refused.keys(), ...this.#cuts];
    const wanted = items.filter((item) => !this.#refused.has(item));
    const blocks = planReads(wanted, limits, barriers);
    if (first === undefined) return blocks;
    const isFirst = (block: Block<I>) => block.items.includes(first);
    return [...blocks.filter(isFirst), ...blocks.filter((block) => !isFirst(block))];
  }

  #refuse(block: Block<I>, reason: string): void {
    const waitMs = Math.min(firstRetryMs, this.#options.refusedRetryMs);
    const retryAt = this.#options.clock.monotonic() + waitMs;
    for (const item of block.items) {
      const client = this.#client;
      this.#refused.set(item, { reason, retryAt, waitMs: 2 * waitMs, isConfirmed: false, client });
      this.#options.onRefusal?.(item, reason);
    }
  }

  /** Tags that share a register share its fate, so they share the wait. */
  #postpone({ table, address, count }: Block<I>, refusedTo: ModbusClient | undefined): void {
    const now = this.#options.clock.monotonic();
    for (const [item, refused] of this.#refused) {
      if (item.table !== table || item.address !== address || item.width !== count) continue;
      // A device that starts up twice refuses twice, and has had all of it in between.
      const isAnew = refusedTo !== undefined && refusedTo !== refused.client && !refused.isConfirmed;
      const waitMs = Math.min(isAnew ? firstRetryMs : refused.waitMs, this.#options.refusedRetryMs);
      refused.retryAt = now + waitMs;
      refused.waitMs = 2 * waitMs;
      if (refusedTo !== undefined && !isAnew) refused.isConfirmed = true;
      refused.client = refusedTo ?? refused.client;
    }
  }

  #isOld({ since }: Cut, now: number): boolean {
    return now - since >= this.#options.refusedRetryMs;
  }

  #readBlock(client: ModbusClient, { table, address, count }: Block<I>): Promise<Buffer> {
    const { unit } = this.#options;
    return isBitTable(table)
      ? client.readBits(unit, table, address, count)
      : client.readRegisters(unit, table as RegisterTable, address, count);
  }
}

function asException(error: unknown): ModbusException {
  if (error instanceof ModbusException) return error;
  throw error;
}
