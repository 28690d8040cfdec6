// A priority queue by due time, earliest first; equal times are ordered by name, so that the order does not depend on the
// order of insertion.

interface Due {
  readonly at: number;
  readonly name: string;
}

export class DueHeap {
  readonly #heap: Due[] = [];

  /** Infinity where nothing is. */
  get firstAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  push(at: number, name: string): void {
    const heap = this.#heap;
    heap.push({ at, name });
    let child = heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(heap[child]!, heap[parent]!)) return;
      [heap[child], heap[parent]] = [heap[parent]!, heap[child]!];
      child = parent;
    }
  }

  pop(): Due | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    let parent = 0;
    for (;;) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2])
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child;
      if (least === parent) return first;
      [heap[parent], heap[least]] = [heap[least]!, heap[parent]!];
      parent = least;
    }
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.at === b.at ? a.name < b.name : a.at < b.at;
}
