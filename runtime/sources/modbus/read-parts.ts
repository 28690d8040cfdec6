// What of a plan's blocks is left to read in one pass, while a block is searched for what the device refuses of it.
import { isBitTable } from '../codec/fields.ts';
import { type Barrier, type Block, type Item, planReads } from './read-plan.ts';

export interface Cut extends Barrier {
  /** Monotonic ms. */
  readonly since: number;
}

/** For what a device refuses of one block of the plan. */
export interface Search {
  readonly cuts: Cut[];
  isFound: boolean;
}

/** Holes over which something was not given. Once may be chance: twice, and it is read without them. */
export class HolesToCut {
  readonly #seen = new Set<string>();

  /** `behind`: the blocks behind them. Gives the places that are not to be read over from now on. */
  note(behind: readonly Block<Item>[], since: number): readonly Cut[] {
    return behind.flatMap(({ table, address }) => {
      const place = `${table} ${address}`;
      if (this.#seen.has(place)) return [{ table, address, width: 0, since }];
      this.#seen.add(place);
      return [];
    });
  }
}

export interface Part<I extends Item> {
  readonly block: Block<I>;
  readonly search: Search;
}

/** The parts that are left, none with more registers. */
export function smaller<I extends Item>(parts: readonly Part<I>[], maxRegisters: number): readonly Part<I>[] {
  const none = { maxBits: Number.MAX_SAFE_INTEGER, maxHole: Number.MAX_SAFE_INTEGER };
  return parts.flatMap((part) =>
    isBitTable(part.block.table) || part.block.count <= maxRegisters
      ? [part]
      : planReads(part.block.items, { ...none, maxRegisters }).map((block) => ({ ...part, block })),
  );
}

export function partOf<I extends Item>(block: Block<I>): Part<I> {
  return { block, search: { cuts: [], isFound: false } };
}
