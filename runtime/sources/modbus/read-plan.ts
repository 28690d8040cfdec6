// Which requests read a set of values: neighbours share one request, as far as the limits and the hole
// budget allow. Pure. When a device refuses a block, `splitBlock` says what to ask instead.
import { isBitTable, type Table } from '../codec/fields.ts';

/** One value's place in the device. `width` counts registers, or bits in the bit tables. */
export interface Item {
  readonly table: Table;
  readonly address: number;
  readonly width: number;
}

/** One request, and what its answer holds. */
export interface Block<I extends Item = Item> {
  readonly table: Table;
  readonly address: number;
  readonly count: number;
  /** By address. Never empty. */
  readonly items: readonly I[];
}

export interface PlanLimits {
  readonly maxRegisters: number;
  readonly maxBits: number;
  /** Unused registers that a request may read over. For bits, 16 times as many: the same bytes. */
  readonly maxHole: number;
}

/** Between which addresses no request may read: what a device refused. */
export interface Barrier {
  readonly table: Table;
  /** From `address`, `width` registers or bits; none: between that and the one before. */
  readonly address: number;
  readonly width: number;
}

/**
 * Blocks that cover every item, each within the limits (an item wider than a limit is an error of the configuration), and
 * none over a barrier.
 */
export function planReads<I extends Item>(
  items: readonly I[],
  limits: PlanLimits,
  barriers: readonly Barrier[] = [],
): readonly Block<I>[] {
  const byTable = new Map<Table, I[]>();
  for (const item of items) {
    const list = byTable.get(item.table);
    if (list) list.push(item);
    else byTable.set(item.table, [item]);
  }
  return [...byTable].flatMap(([table, list]) =>
    planTable(
      list,
      limits,
      barriers.filter((barrier) => barrier.table === table),
    ),
  );
}

function planTable<I extends Item>(
  items: readonly I[],
  limits: PlanLimits,
  barriers: readonly Barrier[],
): readonly Block<I>[] {
  const sorted = [...items].sort((a, b) => a.address - b.address || a.width - b.width);
  const bits = isBitTable(sorted[0]!.table);
  const limit = bits ? limits.maxBits : limits.maxRegisters;
  const maxHole = bits ? limits.maxHole * 16 : limits.maxHole;
  const blocks: Block<I>[] = [];
  let group: I[] = [];
  let end = 0;
  for (const item of sorted) {
    const itemEnd = Math.max(end, item.address + item.width);
    const isBarred = barriers.some(({ address, width }) => address >= end && address + width <= item.address);
    const fits = itemEnd - (group[0]?.address ?? 0) <= limit && item.address - end <= maxHole && !isBarred;
    if (group.length > 0 && !fits) {
      blocks.push(toBlock(group));
      group = [];
    }
    end = group.length > 0 ? itemEnd : item.address + item.width;
    group.push(item);
  }
  if (group.length > 0) blocks.push(toBlock(group));
  return blocks;
}

/** `items` by address, all of one table. */
function toBlock<I extends Item>(items: readonly I[]): Block<I> {
  const { table, address } = items[0]!;
  const end = items.reduce((most, item) => Math.max(most, item.address + item.width), 0);
  return { table, address, count: end - address, items };
}

/**
 * Two blocks for one that was refused, or `undefined` where it cannot be halved: then its items are what
 * the device refuses. Splits at the widest hole, since unmapped registers are the usual reason; without
 * a hole, in the middle.
 */
export function splitBlock<I extends Item>(block: Block<I>): readonly [Block<I>, Block<I>] | undefined {
  const { items } = block;
  if (items.every((item) => item.address === items[0]!.address && item.width === items[0]!.width))
    return undefined;
  const at = widestHole(items) ?? Math.ceil(items.length / 2);
  return [toBlock(items.slice(0, at)), toBlock(items.slice(at))];
}

/** The position of the first item after the widest hole; undefined where there is none. */
function widestHole(items: readonly Item[]): number | undefined {
  let best: number | undefined;
  let width = 0;
  let end = 0;
  for (const [at, item] of items.entries()) {
    if (at > 0 && item.address - end > width) {
      width = item.address - end;
      best = at;
    }
    end = Math.max(end, item.address + item.width);
  }
  return best;
}
