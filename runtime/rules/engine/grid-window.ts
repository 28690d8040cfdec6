// Tumbling and hopping windows: they end at multiples of the hop (moved by the offset), and hold their end, not their start. Rows are
// aggregated into panes, the longest stretches of which every window is made whole; a tumbling window is one pane.
import type { Frame } from '../expressions/frame.ts';
import type { Budget } from './budget.ts';
import { type Cell, type Cells, type GroupKey, loadKey, saveKey } from './cells.ts';
import { maxRun, type RowRun } from './row-run.ts';
import type { CloseGroup, GroupOf, MapKey, WindowOperator } from './window-port.ts';

export interface Grid {
  readonly sizeMs: number;
  readonly hopMs: number;
  readonly offsetMs: number;
}

interface Group {
  readonly key: GroupKey;
  readonly cell: Cell;
  readonly keyBytes: number;
}

interface Pane {
  readonly end: number;
  readonly groups: Map<MapKey, Group>;
  /** Where there is one group. */
  only: Group | undefined;
}

export class GridWindow implements WindowOperator {
  readonly #grid: Grid;
  readonly #paneMs: number;
  readonly #cells: Cells;
  readonly #groupOf: GroupOf;
  readonly #budget: Budget;
  /** Oldest first. */
  #panes: Pane[] = [];
  #latest: Pane | undefined;
  dueAt = Number.POSITIVE_INFINITY;

  constructor(grid: Grid, cells: Cells, groupOf: GroupOf, budget: Budget) {
    this.#grid = grid;
    this.#paneMs = paneOf(grid);
    this.#cells = cells;
    this.#groupOf = groupOf;
    this.#budget = budget;
  }

  add(frame: Frame): void {
    this.#cells.read(frame);
    const { time } = frame;
    const latest = this.#latest;
    if (latest?.only !== undefined && time <= latest.end && time > latest.end - this.#paneMs) {
      this.#cells.add(latest.only.cell);
      return;
    }
    const pane = this.#paneAt(time);
    if (pane === undefined) return;
    const mapKey = this.#groupOf.mapKey(frame);
    let group = pane.groups.get(mapKey);
    if (group === undefined) {
      group = this.#newGroup(frame);
      pane.groups.set(mapKey, group);
    }
    if (this.#groupOf.isSingle) pane.only = group;
    this.#cells.add(group.cell);
  }

  /** Where there is one group, those that are of its latest pane. */
  addRun(frame: Frame, { rows, times, from, to }: RowRun): number {
    const latest = this.#latest;
    if (latest?.only === undefined || times[from]! <= latest.end - this.#paneMs) return from;
    let end = from;
    const most = Math.min(to, from + maxRun);
    while (end < most && times[end]! <= latest.end) end++;
    return end > from && this.#cells.takeRun(latest.only.cell, frame, { rows, times, from, to: end })
      ? end
      : from;
  }

  #newGroup(frame: Frame): Group {
    const key = this.#groupOf.key(frame);
    const keyBytes = 64 + key.text.length * 4;
    this.#budget.takeKey(keyBytes);
    try {
      return { key, cell: this.#cells.create(), keyBytes };
    } catch (error) {
      this.#budget.giveKey(keyBytes);
      throw error;
    }
  }

  /** `undefined` between windows, where the hop is longer than the window. */
  #paneAt(time: number): Pane | undefined {
    const latest = this.#latest;
    if (latest !== undefined && time <= latest.end && time > latest.end - this.#paneMs) return latest;
    const { offsetMs, sizeMs } = this.#grid;
    const end = Math.ceil((time - offsetMs) / this.#paneMs) * this.#paneMs + offsetMs;
    const firstEnd = this.#windowEndFrom(end);
    if (end <= firstEnd - sizeMs) return undefined;
    const pane: Pane = { end, groups: new Map(), only: undefined };
    this.#panes.push(pane);
    this.#latest = pane;
    if (firstEnd < this.dueAt) this.dueAt = firstEnd;
    return pane;
  }

  /** The first end of a window at or after `time`. */
  #windowEndFrom(time: number): number {
    const { hopMs, offsetMs } = this.#grid;
    return Math.ceil((time - offsetMs) / hopMs) * hopMs + offsetMs;
  }

  close(end: number, closeGroup: CloseGroup): void {
    const { sizeMs, hopMs } = this.#grid;
    const panes = this.#panes.filter((pane) => pane.end > end - sizeMs && pane.end <= end);
    if (panes.length === 1)
      for (const { key, cell } of panes[0]!.groups.values()) closeGroup(end, key, cell.states);
    else this.#closeMerged(end, panes, closeGroup);
    const next = end + hopMs;
    this.#dropUpTo(next - sizeMs);
    this.dueAt = Number.POSITIVE_INFINITY;
    const first = this.#panes[0];
    if (first !== undefined) this.dueAt = Math.max(next, this.#windowEndFrom(first.end));
  }

  #closeMerged(end: number, panes: readonly Pane[], closeGroup: CloseGroup): void {
    const all = new Map<MapKey, { key: GroupKey; cells: Cell[] }>();
    for (const { groups } of panes) {
      for (const [mapKey, { key, cell }] of groups) {
        const found = all.get(mapKey);
        if (found === undefined) all.set(mapKey, { key, cells: [cell] });
        else found.cells.push(cell);
      }
    }
    for (const { key, cells } of all.values())
      closeGroup(end, key, cells.length === 1 ? cells[0]!.states : this.#cells.merged(cells));
  }

  /** Panes that end at or before `time` belong to no further window. */
  #dropUpTo(time: number): void {
    let count = 0;
    while (count < this.#panes.length && this.#panes[count]!.end <= time) {
      for (const { cell, keyBytes } of this.#panes[count]!.groups.values()) {
        this.#cells.drop(cell);
        this.#budget.giveKey(keyBytes);
      }
      count++;
    }
    if (count > 0) this.#panes = this.#panes.slice(count);
    this.#latest = this.#panes.at(-1);
  }

  save(): unknown {
    const panes = this.#panes.map(({ end, groups }) => [
      end,
      [...groups].map(([mapKey, { key, cell }]) => [mapKey, saveKey(key), this.#cells.save(cell)]),
    ]);
    return [Number.isFinite(this.dueAt) ? this.dueAt : null, panes];
  }

  load(saved: unknown): void {
    const [due, panes] = saved as [number | null, [number, [MapKey, unknown, unknown][]][]];
    this.dueAt = due ?? Number.POSITIVE_INFINITY;
    for (const [end, groups] of panes) {
      const pane: Pane = { end, groups: new Map(), only: undefined };
      for (const [mapKey, savedKey, cell] of groups) {
        const key = loadKey(savedKey);
        const keyBytes = 64 + key.text.length * 4;
        this.#budget.takeKey(keyBytes);
        pane.groups.set(mapKey, { key, cell: this.#cells.load(cell), keyBytes });
      }
      this.#panes.push(pane);
    }
    this.#latest = this.#panes.at(-1);
  }
}

/** The length of a pane. */
export function paneOf({ sizeMs, hopMs }: Grid): number {
  let [a, b] = [sizeMs, hopMs];
  while (b > 0) [a, b] = [b, a % b];
  return a;
}
