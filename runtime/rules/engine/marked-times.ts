// Times of rows with which something is wrong, so that what rests on them can say so. Bounded: of many, those that lie farthest back are
// joined to one stretch, which marks too much and never too little.

/** `[first, last]`, both marked. */
export type MarkedStretch = readonly [first: number, last: number];

const maxStretches = 64;

export class MarkedTimes {
  #stretches: MarkedStretch[] = [];

  /** In any order; nearly always the latest. */
  add(time: number): void {
    let at = this.#stretches.length;
    while (at > 0 && this.#stretches[at - 1]![0] > time) at--;
    if (at > 0 && this.#stretches[at - 1]![1] >= time) return;
    this.#stretches.splice(at, 0, [time, time]);
    if (this.#stretches.length <= maxStretches) return;
    const [[first], [, last]] = this.#stretches as [MarkedStretch, MarkedStretch];
    this.#stretches.splice(0, 2, [first, last]);
  }

  /** One of `[from, to]` is marked. */
  has(from: number, to: number): boolean {
    return this.#stretches.some(([first, last]) => first <= to && last >= from);
  }

  save(): readonly MarkedStretch[] {
    return [...this.#stretches];
  }

  load(saved: readonly MarkedStretch[] | undefined): void {
    this.#stretches = [...(saved ?? [])];
  }
}
