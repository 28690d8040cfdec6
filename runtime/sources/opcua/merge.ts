// Many lists of readings, each in order of index, as one. Pure. Sorting them anew would cost several times as much,
// for each of the millions of values that a server remembers.
import type { Reading } from '../../../wire/reading.ts';

type Run = readonly Reading[];

/** At one index, readings of an earlier list come first. The lists stay as they are; one alone may be handed back. */
export function mergeInOrder(runs: readonly Run[]): readonly Reading[] {
  let open: Run[] = runs.filter(({ length }) => length > 0);
  // Neighbours only, so that the lists' order holds for equal indexes.
  while (open.length > 1) {
    const next: Run[] = [];
    for (let at = 0; at < open.length; at += 2) {
      const second = open[at + 1];
      next.push(second === undefined ? open[at]! : mergeTwo(open[at]!, second));
    }
    open = next;
  }
  return open[0] ?? [];
}

function mergeTwo(first: Run, second: Run): Run {
  if (first.at(-1)!.index <= second[0]!.index) return [...first, ...second];
  const all: Reading[] = [];
  let [a, b] = [0, 0];
  let [left, right] = [first[0]!, second[0]!];
  for (;;) {
    if (left.index <= right.index) {
      all.push(left);
      if (++a === first.length) break;
      left = first[a]!;
    } else {
      all.push(right);
      if (++b === second.length) break;
      right = second[b]!;
    }
  }
  for (; a < first.length; a++) all.push(first[a]!);
  for (; b < second.length; b++) all.push(second[b]!);
  return all;
}
