// Reads the blocks of a plan, and learns which registers a device refuses.
//
// | the answer to a block's request | what follows |
// |---|---|
// | exception 1, 2 or 3 (function or address unknown), twice | the block is halved until the refused registers are known; later polls leave them out, and retry them after 10 s, doubling |
// | another exception, twice | the request failed: its items have no value in this poll, the other blocks are read |
// | none, or nonsense, while the unit answers other blocks | the same, once the next request has proven that the line is in step |
// | none, for two blocks in a row | the pass ends |
// | none, three times and for 10 s, while the unit answers other blocks | the block is halved in later passes, down to registers that are left out like refused ones |
//
// An exception is retried within the same poll because many are transient. A refusal is retried later because a device may have been
// restarting. A silent block is not halved sooner, since its silence may be chance, and changes of a register that is left out are missed.
//
// Registers that were refused in an earlier session are retried in the first pass of a new one, if they are due by then.
//
// A register counts as missing only once the device has refused it again in the same session, at least ten seconds later. Before that
// the refusal may be transient, and reporting null would hide a value that can still be read from the device's memory.
import type { HoldfastError } from '../../../kernel/errors.ts';
import { isBitTable, type RegisterTable } from '../codec/fields.ts';
import type { ModbusClient } from './modbus-client.ts';
import { ModbusException, UnprovenError } from './modbus-errors.ts';
import { asFailure, isSilence, noAnswer, reasonOf, SilentBlocks } from './read-failures.ts';
import { type Cut, HolesToCut, type Part, partOf, type Search, smaller } from './read-parts.ts';
import type { BlockData, BlockReaderOptions, ReadPass, Refusal } from './read-pass.ts';
import { type Barrier, type Block, type Item, planReads, splitBlock } from './read-plan.ts';
import { mayBeSize, RequestSize, searchWithin } from './request-size.ts';

interface Refused extends Refusal {
  retryAt: number;
  /** The wait after the next failed try. */
  waitMs: number;
  isConfirmed: boolean;
  /** The client of the session in which it was refused. */
  client: ModbusClient | undefined;
}

/** Blocks in a row without an answer that end a pass: the unit is not there, or the line is not in step. */
const maxUnanswered = 2;
/** How often a pass goes on over a new connection, for a peer that closes each connection after a few requests. */
const maxRestarts = 3;

/** A device that is starting refuses registers that it returns a moment later: so the first wait is short, later ones double. */
const firstRetryMs = 10_000;

/** The wait before the next try, where the last one failed without a refusal. */
const soonMs = 1000;

export class BlockReader<I extends Item> {
  readonly #options: BlockReaderOptions<I>;
  readonly #refused = new Map<I, Refused>();
  /** Since when requests for an item fail, in every pass of one session, monotonic ms. */
  #failing: ReadonlyMap<I, number> = new Map();
  /** The same, before this pass. */
  #failedBefore: ReadonlyMap<I, number> = new Map();
  /** The client of the last pass. Each session has its own client. */
  #client: ModbusClient | undefined;
  /** The client of the last session in which everything was read. */
  #asked: ModbusClient | undefined;
  readonly #silent = new SilentBlocks();
  /** Places that a request may not read over, without an item that is refused there. */
  #cuts: readonly Cut[] = [];
  readonly #holes = new HolesToCut();
  #blocks: readonly Block<I>[];
  readonly #size: RequestSize;

  constructor(options: BlockReaderOptions<I>) {
    this.#options = options;
    const { limits, items, learned, refusedRetryMs, clock, first } = options;
    const widest = items.reduce((most, { table, width }) => Math.max(most, isBitTable(table) ? 1 : width), 1);
    const { maxRegisters } = limits;
    const size = { maxRegisters, widest, retryMs: refusedRetryMs, learned, isRecord: first !== undefined };
    this.#size = new RequestSize(size, clock.monotonic());
    this.#refuseKnown();
    this.#blocks = this.#plan();
  }

  /** Requests that a pass takes. */
  get requests(): number {
    return this.#blocks.length;
  }

  /** Reads all blocks that the device does not refuse, once. Rejects where the unit does not answer, or the line is lost. */
  async read(client: ModbusClient): Promise<ReadPass<I>> {
    this.#begin(client);
    // Where everything is refused, something must still be asked, or a dead connection would look alive.
    if (this.#blocks.length === 0 && !(await this.#retry(client))) return this.#passOf([], new Map(), false);
    const pending = this.#blocks.map(partOf);
    const searches = new Set<Search>();
    const data: BlockData<I>[] = [];
    const failed = new Map<I, Refusal>();
    const silent: Block<I>[] = [];
    let unanswered = 0;
    let [{ waitedMs }, restarts] = [client, 0];
    try {
      // Bounded: each block is read once, or replaced by two smaller ones, and begun with again three times at most.
      for (let part = pending.shift(); part; part = pending.shift()) {
        const { block, search } = part;
        const answer = await this.#askOrDie(client, block);
        if (client.waitedMs > waitedMs && restarts < maxRestarts) {
          // Values of one pass are called those of one moment: what came before the wait is read again.
          pending.push(...data.splice(0).map(({ block: read }) => partOf(read)));
          restarts += 1;
          waitedMs = client.waitedMs;
        }
        unanswered = isSilence(answer) ? unanswered + 1 : 0;
        if (Buffer.isBuffer(answer)) {
          data.push({ block, bytes: answer });
          this.#size.gave(block.count);
        } else if (answer instanceof ModbusException && answer.isRefusal) {
          searches.add(search);
          pending.unshift(...this.#learn(part, answer.exceptionName));
        } else {
          if (isSilence(answer)) silent.push(block);
          if (silent.length === 1 && data.length === 0) this.#onDeadly(block);
          const [first] = failed.values();
          // What was wrong at first says more than what the line was then asked to find out.
          if (unanswered >= maxUnanswered || client.lost) throw first?.error ?? answer;
          const parts = await this.#searchSize(client, block, answer);
          data.push(...parts.data);
          for (const item of parts.failed.flatMap(({ items }) => items))
            failed.set(item, { reason: reasonOf(answer), error: answer });
          if (parts.limit !== undefined) pending.splice(0, pending.length, ...smaller(pending, parts.limit));
        }
      }
    } finally {
      // What was learned is kept even if the pass is cut short, or a slow device would never be learned at all.
      this.#keep(searches);
    }
    const [failure] = failed.values();
    // Nothing at all was to be had, and that may pass.
    if (data.length === 0 && failure) throw failure.error;
    this.#noteSilent(silent);
    if (await this.#retryDue(client)) return this.read(client);
    if (failed.size === 0 && this.#size.proven()) this.#blocks = this.#plan();
    return this.#passOf(data, failed, searches.size > 0);
  }

  /** A refused register is due for a retry, or learned refusals are to be forgotten. */
  get isRetryDue(): boolean {
    if (this.#isForgotten) return true;
    const now = this.#options.clock.monotonic();
    if (this.#cuts.some((cut) => this.#isOld(cut, now)) || this.#size.isDue(now)) return true;
    return [...this.#refused.values()].some(({ retryAt }) => retryAt <= now);
  }

  /** Asks once more for what was refused longest ago, if its time has come. Never rejects: the next poll will. */
  async retryRefused(client: ModbusClient): Promise<void> {
    if (this.#isForgotten) return this.#forget();
    const now = this.#options.clock.monotonic();
    const [due] = [...this.#refused].find(([, { retryAt }]) => retryAt <= now) ?? [];
    if (due) {
      const error = await this.#retry(client, due).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      // Nothing came: the line is proven to be in step now, not at the cost of the next poll.
      const [known] = this.#blocks;
      if (error !== undefined && known && !client.lost) await this.#readBlock(client, known).catch(() => {});
      return;
    }
    // Whether it can be read over what could not be read over is found out now, not at the cost of the next poll.
    this.#cuts = this.#cuts.filter((cut) => !this.#isOld(cut, now));
    if (this.#size.isDue(now)) this.#size.tryLarger(now);
    this.#blocks = this.#plan();
    await this.read(client).catch(() => {});
  }

  /** Failures before and after an outage may have passed in between: counting starts again after a pass that was cut short. */
  #begin(client: ModbusClient): void {
    const isSame = client === this.#client;
    this.#failedBefore = isSame ? this.#failing : new Map();
    this.#failing = new Map();
    this.#client = client;
    this.#silent.begin(isSame);
  }

  #passOf(data: readonly BlockData<I>[], failed: ReadonlyMap<I, Refusal>, isLearning: boolean): ReadPass<I> {
    const now = this.#options.clock.monotonic();
    this.#failing = new Map([...failed.keys()].map((item) => [item, this.#failedBefore.get(item) ?? now]));
    // What says nothing may answer in a moment, however long it was silent.
    const isCertain =
      [...failed.values()].every(({ error }) => error instanceof ModbusException) &&
      [...this.#failing.values()].every((since) => now - since >= firstRetryMs) &&
      [...this.#refused.values()].every(({ isConfirmed }) => isConfirmed);
    return { data, missing: new Map<I, Refusal>([...this.#refused, ...failed]), isCertain, isLearning };
  }

  /** Reads a block, a second time after an exception. Two exceptions count as a refusal. */
  async #ask(client: ModbusClient, block: Block<I>): Promise<Buffer | HoldfastError> {
    const first = await this.#readBlock(client, block).catch(asFailure);
    if (Buffer.isBuffer(first) || !(first instanceof ModbusException)) return first;
    const second = await this.#readBlock(client, block).catch(asFailure);
    // Nothing was said of the block itself: the pass fails as a whole.
    if (second instanceof ModbusException && second.isOfProof) throw new UnprovenError(second);
    return Buffer.isBuffer(second) || first.isRefusal || first.isOfProof ? second : first;
  }

  async #askOrDie(client: ModbusClient, block: Block<I>): Promise<Buffer | HoldfastError> {
    try {
      return await this.#ask(client, block);
    } catch (error) {
      const isLost = client.lost?.code === 'modbus-connection-lost' || client.lost?.code === 'modbus-garbage';
      if (isLost) this.#onDeadly(block);
      throw error;
    }
  }

  /** Nothing came for it, or the connection was lost over it: the next passes may ask for less. */
  #onDeadly(block: Block<I>): void {
    if (this.#size.wasDeadly(block, this.#options.clock.monotonic())) this.#blocks = this.#plan();
  }

  /** What the device gives of a block that it does not give as a whole. */
  async #searchSize(client: ModbusClient, block: Block<I>, error: HoldfastError) {
    const size = this.#size;
    const now = this.#options.clock.monotonic();
    if (!mayBeSize(error) || !size.isWorthASearch(now))
      return { data: [], failed: [block], limit: undefined, behindHoles: [] };
    const found = await searchWithin(block, (part) => this.#readBlock(client, part).catch(asFailure));
    const isSmaller = size.found(found.limit, found.data.length > 0, now);
    const cuts = this.#holes.note(found.behindHoles, now);
    this.#cuts = [...this.#cuts, ...cuts];
    if (cuts.length > 0 || isSmaller) this.#blocks = this.#plan();
    return found;
  }

  /** `blocks` stayed without an answer in a pass in which others were answered. */
  #noteSilent(blocks: readonly Block<I>[]): void {
    const now = this.#options.clock.monotonic();
    for (const { block, halves } of this.#silent.note(blocks, now, firstRetryMs)) {
      if (halves) {
        const [, { table, address }] = halves;
        this.#cuts = [...this.#cuts, { table, address, width: 0, since: now }];
      } else this.#refuse(block, noAnswer);
      this.#blocks = this.#plan();
    }
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

  /** True when `item` (by default the first refused one) is no longer refused: then the reads are planned again. */
  async #retry(client: ModbusClient, item = this.#options.items[0]!): Promise<boolean> {
    const [block] = planReads([item], this.#options.limits);
    try {
      await this.#readBlock(client, block!);
    } catch (error) {
      const isRefused = error instanceof ModbusException && error.isRefusal;
      const isSilent = this.#refused.get(item)?.reason === noAnswer;
      // What else went wrong says nothing of the refusal.
      if (isRefused || isSilent) this.#postpone(block!, isRefused ? client : undefined);
      else this.#tryAgain(block!);
      if (isRefused) return false;
      throw error;
    }
    // The device has changed: what else it refuses, and which holes it minds, is learned again.
    this.#forget();
    return true;
  }

  /** Once a session, asks for all that is due. True where something is refused no longer. Never rejects. */
  async #retryDue(client: ModbusClient): Promise<boolean> {
    if (client === this.#asked) return false;
    this.#asked = client;
    const now = this.#options.clock.monotonic();
    const due = [...this.#refused].filter(([, { retryAt }]) => retryAt <= now);
    try {
      for (const [item, { retryAt }] of due)
        if (retryAt <= now && (await this.#retry(client, item))) return true;
    } catch {
      // It is tried again soon.
    }
    return false;
  }

  #forget(): void {
    for (const [each] of this.#refused) this.#options.onRefusal?.(each, undefined);
    this.#refused.clear();
    this.#cuts = [];
    this.#blocks = this.#plan();
    this.#remember();
  }

  /** The method `forget` has removed what was learned. */
  get #isForgotten(): boolean {
    const { learned } = this.#options;
    return learned !== undefined && this.#refused.size > 0 && learned.get().refused === undefined;
  }

  /** Applies refusals that an earlier process learned; they are retried soon. */
  #refuseKnown(): void {
    const known = (this.#options.learned?.get().refused ?? {}) as Readonly<Record<string, unknown>>;
    const retryAt = this.#options.clock.monotonic() + Math.min(firstRetryMs, this.#options.refusedRetryMs);
    for (const item of this.#options.items) {
      const reason = known[itemPlace(item)];
      if (typeof reason !== 'string' || !/^[a-z0-9-]+$/.test(reason)) continue;
      this.#refused.set(item, {
        reason,
        retryAt,
        waitMs: 2 * firstRetryMs,
        isConfirmed: false,
        client: undefined,
      });
      this.#options.onRefusal?.(item, reason);
    }
  }

  /** Those of other paces are kept by their own readers. */
  #remember(): void {
    const { learned, items } = this.#options;
    if (!learned) return;
    const own = new Set(items.map(itemPlace));
    const others = Object.entries((learned.get().refused ?? {}) as object).filter(
      ([place]) => !own.has(place),
    );
    const mine = [...this.#refused].map(([item, { reason }]) => [itemPlace(item), reason]);
    const all = [...others, ...mine];
    learned.note('refused', all.length === 0 ? undefined : Object.fromEntries(all));
  }

  #plan(): readonly Block<I>[] {
    const { items, limits, first } = this.#options;
    const barriers: readonly Barrier[] = [...this.#refused.keys(), ...this.#cuts];
    const wanted = items.filter((item) => !this.#refused.has(item));
    const { maxRegisters } = this.#size;
    const blocks = planReads(wanted, { ...limits, maxRegisters }, barriers);
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
    this.#remember();
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

  #tryAgain({ table, address, count }: Block<I>): void {
    const retryAt = this.#options.clock.monotonic() + soonMs;
    for (const [item, refused] of this.#refused)
      if (item.table === table && item.address === address && item.width === count) refused.retryAt = retryAt;
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

function itemPlace({ table, address, width }: Item): string {
  return `${table} ${address} ${width}`;
}
