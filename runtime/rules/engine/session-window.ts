// Session windows, as the reference of SESSIONWINDOW says: a session begins with a row, and ends `timeout` after its last one, or
// where it is found to have lasted for the maximum. That is looked at only at multiples of the maximum: a session that
// begins between two of them may last until the second one after it. Where it is cut, the next one begins, without a
// row so far. A row exactly `timeout` after the last one, or exactly at the cut, still belongs to it: a window holds its end.
import type { Compiled, Frame } from '../expressions/frame.ts';
import { keyOf } from '../expressions/values.ts';
import type { Budget } from './budget.ts';
import { type Cell, type Cells, type GroupKey, loadKey, saveKey } from './cells.ts';
import { DueHeap } from './due-heap.ts';
import type { CloseGroup, GroupOf, MapKey, WindowOperator } from './window-port.ts';

export interface SessionShape {
  readonly timeoutMs: number;
  readonly maxMs: number;
}

interface Session {
  last: number;
  /** Where it is cut at the latest. Infinity after a cut, until a row comes. */
  cut: number;
  readonly groups: Map<MapKey, { readonly key: GroupKey; readonly cell: Cell }>;
  /** When it is looked at again: at its end or before, since rows move that on. */
  lookAt: number;
}

export class SessionWindow implements WindowOperator {
  readonly #shape: SessionShape;
  readonly #partition: Compiled['run'] | undefined;
  readonly #cells: Cells;
  readonly #groupOf: GroupOf;
  readonly #budget: Budget;
  readonly #sessions = new Map<string, Session>();
  readonly #looks = new DueHeap();
  dueAt = Number.POSITIVE_INFINITY;

  constructor(
    shape: SessionShape,
    partition: Compiled['run'] | undefined,
    cells: Cells,
    groupOf: GroupOf,
    budget: Budget,
  ) {
    this.#shape = shape;
    this.#partition = partition;
    this.#cells = cells;
    this.#groupOf = groupOf;
    this.#budget = budget;
  }

  add(frame: Frame): void {
    this.#cells.read(frame);
    const name = this.#partition === undefined ? '' : keyOf(this.#partition(frame));
    const mapKey = this.#groupOf.mapKey(frame);
    const found = this.#sessions.get(name);
    const key = found?.groups.has(mapKey) ? undefined : this.#groupOf.key(frame);
    const session = found ?? this.#newSession(name, frame.time);
    let group = session.groups.get(mapKey);
    if (group === undefined) {
      group = { key: key!, cell: this.#cells.create() };
      session.groups.set(mapKey, group);
    }
    const { maxMs } = this.#shape;
    // Goes on where an earlier one was cut.
    if (session.cut === Number.POSITIVE_INFINITY) session.cut = Math.ceil(frame.time / maxMs) * maxMs;
    session.last = frame.time;
    this.#cells.add(group.cell);
    this.#look(name, session);
  }

  /** Only where it ends earlier than it is looked at: so each has one look to come, but for looks that came to nothing. */
  #look(name: string, session: Session): void {
    const end = this.#endOf(session);
    if (end >= session.lookAt) return;
    session.lookAt = end;
    this.#looks.push(end, name);
    this.dueAt = this.#looks.firstAt;
  }

  #newSession(name: string, time: number): Session {
    const { maxMs } = this.#shape;
    this.#budget.takeKey(sessionBytes);
    const cut = Math.ceil(time / maxMs) * maxMs + maxMs;
    const session = { last: time, cut, groups: new Map(), lookAt: Number.POSITIVE_INFINITY };
    this.#sessions.set(name, session);
    return session;
  }

  #endOf({ last, cut }: Session): number {
    return Math.min(last + this.#shape.timeoutMs, cut);
  }

  close(time: number, closeGroup: CloseGroup): void {
    while (this.#looks.firstAt <= time) {
      const { at, name } = this.#looks.pop()!;
      const session = this.#sessions.get(name);
      if (session === undefined || session.lookAt !== at) continue;
      if (this.#endOf(session) <= time) this.#end(name, session, time, closeGroup);
      session.lookAt = Number.POSITIVE_INFINITY;
      if (this.#sessions.has(name)) this.#look(name, session);
    }
    this.dueAt = this.#looks.firstAt;
  }

  #end(name: string, session: Session, time: number, closeGroup: CloseGroup): void {
    for (const { key, cell } of session.groups.values()) {
      closeGroup(time, key, cell.states);
      this.#cells.drop(cell);
    }
    session.groups.clear();
    if (session.last + this.#shape.timeoutMs > time) session.cut = Number.POSITIVE_INFINITY;
    else {
      this.#sessions.delete(name);
      this.#budget.giveKey(sessionBytes);
    }
  }

  save(): unknown {
    const sessions = [...this.#sessions].map(([name, { last, cut, groups }]) => [
      name,
      last,
      Number.isFinite(cut) ? cut : null,
      [...groups].map(([mapKey, { key, cell }]) => [mapKey, saveKey(key), this.#cells.save(cell)]),
    ]);
    return sessions;
  }

  load(saved: unknown): void {
    const sessions = saved as [string, number, number | null, [MapKey, unknown, unknown][]][];
    for (const [name, last, cut, groups] of sessions) {
      this.#budget.takeKey(sessionBytes);
      const session: Session = {
        last,
        cut: cut ?? Number.POSITIVE_INFINITY,
        groups: new Map(),
        lookAt: Number.POSITIVE_INFINITY,
      };
      for (const [mapKey, key, cell] of groups)
        session.groups.set(mapKey, { key: loadKey(key), cell: this.#cells.load(cell) });
      this.#sessions.set(name, session);
      this.#look(name, session);
    }
  }
}

const sessionBytes = 256;
