// Sliding windows: a row for a group at each moment at which a row enters its window or leaves it, while there is one in it. The window
// that ends at t holds (t - size, t]. A snapshot window is one of no length: what has one time is a group's window, and nothing leaves.
import type { Frame } from '../expressions/frame.ts';
import type { Budget } from './budget.ts';
import { type Cells, type GroupKey, loadKey, saveKey } from './cells.ts';
import { TwoStacks } from './two-stacks.ts';
import type { CloseGroup, GroupOf, MapKey, WindowOperator } from './window-port.ts';

interface Group {
  readonly mapKey: MapKey;
  readonly key: GroupKey;
  readonly keyBytes: number;
  readonly stacks: TwoStacks;
}

export class SlidingWindow implements WindowOperator {
  /** 0 for snapshot windows. */
  readonly #sizeMs: number;
  readonly #cells: Cells;
  readonly #groupOf: GroupOf;
  readonly #budget: Budget;
  readonly #groups = new Map<MapKey, Group>();
  /** Groups with rows of the present time, which may have more of it. */
  readonly #touched = new Set<Group>();
  #touchedAt = Number.POSITIVE_INFINITY;
  /** When rows leave, in order: times come in order, and all stay equally long. */
  #exits: { readonly at: number; readonly group: Group }[] = [];
  #firstExit = 0;

  constructor(sizeMs: number, cells: Cells, groupOf: GroupOf, budget: Budget) {
    this.#sizeMs = sizeMs;
    this.#cells = cells;
    this.#groupOf = groupOf;
    this.#budget = budget;
  }

  add(frame: Frame): void {
    this.#cells.read(frame);
    const mapKey = this.#groupOf.mapKey(frame);
    const found = this.#groups.get(mapKey);
    const group = found ?? this.#newGroup(mapKey, this.#groupOf.key(frame));
    const hadCell = group.stacks.lastTime === frame.time;
    try {
      this.#cells.add(group.stacks.cellAt(frame.time));
    } catch (error) {
      if (found === undefined) this.#forget(group);
      throw error;
    }
    this.#touched.add(group);
    this.#touchedAt = frame.time;
    if (!hadCell && this.#sizeMs > 0) this.#exits.push({ at: frame.time + this.#sizeMs, group });
    this.dueAt = Math.min(this.dueAt, frame.time);
  }

  #newGroup(mapKey: MapKey, key: GroupKey): Group {
    const keyBytes = 256 + key.text.length * 4;
    this.#budget.takeKey(keyBytes);
    const group = { mapKey, key, keyBytes, stacks: new TwoStacks(this.#cells) };
    this.#groups.set(mapKey, group);
    return group;
  }

  #forget(group: Group): void {
    group.stacks.drop();
    this.#groups.delete(group.mapKey);
    this.#budget.giveKey(group.keyBytes);
  }

  dueAt = Number.POSITIVE_INFINITY;

  #refreshDue(): void {
    this.dueAt = Math.min(this.#touchedAt, this.#exits[this.#firstExit]?.at ?? Number.POSITIVE_INFINITY);
  }

  close(time: number, closeGroup: CloseGroup): void {
    const changed = new Set<Group>();
    while (this.#exits[this.#firstExit]?.at === time) changed.add(this.#exits[this.#firstExit++]!.group);
    if (this.#firstExit > 1024 && this.#firstExit * 2 > this.#exits.length) {
      this.#exits = this.#exits.slice(this.#firstExit);
      this.#firstExit = 0;
    }
    if (this.#touchedAt === time) {
      for (const group of this.#touched) changed.add(group);
      this.#touched.clear();
      this.#touchedAt = Number.POSITIVE_INFINITY;
    }
    for (const group of changed) {
      if (this.#sizeMs > 0) group.stacks.evict(time - this.#sizeMs);
      if (group.stacks.isEmpty || this.#groups.get(group.mapKey) !== group) {
        if (this.#groups.get(group.mapKey) === group) this.#forget(group);
        continue;
      }
      closeGroup(time, group.key, group.stacks.merged());
      if (this.#sizeMs === 0) this.#forget(group);
    }
    this.#refreshDue();
  }

  /** Between calls no group is touched: what has come is closed at its own time, before the watermark. */
  save(): unknown {
    const order = new Map([...this.#groups.values()].map((group, index) => [group, index]));
    return [
      [...this.#groups.values()].map(({ mapKey, key, stacks }) => [mapKey, saveKey(key), stacks.save()]),
      this.#exits
        .slice(this.#firstExit)
        .filter(({ group }) => order.has(group))
        .map(({ at, group }) => [at, order.get(group)]),
    ];
  }

  load(saved: unknown): void {
    const [groups, exits] = saved as [[MapKey, unknown, unknown][], [number, number][]];
    const all = groups.map(([mapKey, key, stacks]) => {
      const group = this.#newGroup(mapKey, loadKey(key));
      group.stacks.load(stacks);
      return group;
    });
    this.#exits = exits.map(([at, index]) => ({ at, group: all[index]! }));
    this.#refreshDue();
  }
}
