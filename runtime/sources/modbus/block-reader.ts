// Reads the blocks of a plan, and learns which registers a device refuses. A refused block is halved until
// what it refuses is known; that is remembered, so that every later poll asks only for what is there, and
// tried again now and then, since a device may have been restarting when it refused.
import type { Clock } from '../../../kernel/clock.ts';
import { isBitTable, type RegisterTable } from './fields.ts';
import type { ModbusClient } from './modbus-client.ts';
import { ModbusException } from './modbus-errors.ts';
import { type Block, type Item, type PlanLimits, planReads, splitBlock } from './read-plan.ts';

export interface BlockData<I extends Item> {
  readonly block: Block<I>;
  readonly bytes: Buffer;
}

export interface Refusal {
  /** The exception's name, as it goes into a quality. */
  readonly reason: string;
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
  /** The plan changed on the way: the order in which blocks were read was not the plan's. */
  readonly isLearning: boolean;
}

interface Refused extends Refusal {
  retryAt: number;
  /** The wait after the next failed try. */
  waitMs: number;
}

/** A device that is starting up refuses what it gives a moment later: so the first wait is short, later ones double. */
const firstRetryMs = 10_000;

export class BlockReader<I extends Item> {
  readonly #options: BlockReaderOptions<I>;
  readonly #refused = new Map<I, Refused>();
  #blocks: readonly Block<I>[];

  constructor(options: BlockReaderOptions<I>) {
    this.#options = options;
    this.#blocks = this.#plan();
  }

  /** Items that are left out, with what the device said. */
  get refused(): ReadonlyMap<I, Refusal> {
    return this.#refused;
  }

  /** Requests that a pass takes. */
  get requests(): number {
    return this.#blocks.length;
  }

  /** One pass over all blocks that the device does not refuse. Rejects with the first error that is no refusal. */
  async read(client: ModbusClient): Promise<ReadPass<I>> {
    // Where everything is refused, something must still be asked, or a dead connection would look alive.
    if (this.#blocks.length === 0 && !(await this.#retry(client))) return { data: [], isLearning: false };
    const data: BlockData<I>[] = [];
    const pending = [...this.#blocks];
    let isLearning = false;
    try {
      // Bounded: each block is read once, or replaced by two smaller ones.
      for (let block = pending[0]; block; block = pending[0]) {
        try {
          data.push({ block, bytes: await this.#readBlock(client, block) });
          pending.shift();
        } catch (error) {
          if (!(error instanceof ModbusException) || !error.isRefusal) throw error;
          isLearning = true;
          const halves = splitBlock(block);
          if (!halves) this.#refuse(block, error.exceptionName);
          pending.splice(0, 1, ...(halves ?? []));
        }
      }
    } finally {
      // What was learned is kept even if the pass is cut short, or a slow device would never be learned at all.
      if (isLearning) this.#blocks = this.#arrange([...data.map(({ block }) => block), ...pending]);
    }
    return { data, isLearning };
  }

  /** Something was refused long enough ago to ask for it again. */
  get isRetryDue(): boolean {
    if (this.#refused.size === 0) return false;
    const now = this.#options.clock.monotonic();
    return [...this.#refused.values()].some(({ retryAt }) => retryAt <= now);
  }

  /** Asks once more for what was refused longest ago, if its time has come. Never rejects: the next poll will. */
  async retryRefused(client: ModbusClient): Promise<void> {
    const now = this.#options.clock.monotonic();
    const [due] = [...this.#refused].find(([, { retryAt }]) => retryAt <= now) ?? [];
    if (due) await this.#retry(client, due).catch(() => false);
  }

  /** True when `item` (by default the first refused one) is no longer refused: then all is planned anew. */
  async #retry(client: ModbusClient, item = this.#options.items[0]!): Promise<boolean> {
    const [block] = planReads([item], this.#options.limits);
    try {
      await this.#readBlock(client, block!);
    } catch (error) {
      this.#postpone(block!);
      if (error instanceof ModbusException && error.isRefusal) return false;
      throw error;
    }
    // The device has changed: what else it refuses, and which holes it minds, is learned again.
    for (const [each] of this.#refused) this.#options.onRefusal?.(each, undefined);
    this.#refused.clear();
    this.#blocks = this.#plan();
    return true;
  }

  #plan(): readonly Block<I>[] {
    return this.#arrange(planReads(this.#options.items, this.#options.limits));
  }

  #arrange(blocks: readonly Block<I>[]): readonly Block<I>[] {
    const { first } = this.#options;
    if (first === undefined) return blocks;
    const isFirst = (block: Block<I>) => block.items.includes(first);
    return [...blocks.filter(isFirst), ...blocks.filter((block) => !isFirst(block))];
  }

  #refuse(block: Block<I>, reason: string): void {
    const waitMs = Math.min(firstRetryMs, this.#options.refusedRetryMs);
    const retryAt = this.#options.clock.monotonic() + waitMs;
    for (const item of block.items) {
      this.#refused.set(item, { reason, retryAt, waitMs: 2 * waitMs });
      this.#options.onRefusal?.(item, reason);
    }
  }

  /** Tags that share a register share its fate, so they share the wait. */
  #postpone({ table, address, count }: Block<I>): void {
    const now = this.#options.clock.monotonic();
    for (const [item, refused] of this.#refused) {
      if (item.table !== table || item.address !== address || item.width !== count) continue;
      const waitMs = Math.min(refused.waitMs, this.#options.refusedRetryMs);
      refused.retryAt = now + waitMs;
      refused.waitMs = 2 * waitMs;
    }
  }

  #readBlock(client: ModbusClient, { table, address, count }: Block<I>): Promise<Buffer> {
    const { unit } = this.#options;
    return isBitTable(table)
      ? client.readBits(unit, table, address, count)
      : client.readRegisters(unit, table as RegisterTable, address, count);
  }
}
