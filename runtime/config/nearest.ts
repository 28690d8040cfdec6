/** The known name that is a slip of the finger away from `text`; undefined where none is. */
export function nearest(text: string, known: Iterable<string>): string | undefined {
  if (text.length > 40) return undefined;
  const most = text.length < 5 ? 1 : text.length < 9 ? 2 : 3;
  let best: { readonly name: string; readonly apart: number } | undefined;
  for (const name of known) {
    const apart = apartOf(plain(text), plain(name));
    if (apart <= most && apart < (best?.apart ?? Number.POSITIVE_INFINITY)) best = { name, apart };
  }
  return best?.name;
}

/** `poll_ms`, `poll-ms` and `pollMs` are the same slip. */
const plain = (text: string) => text.toLowerCase().replace(/[-_ ]/g, '');

/** A word that goes on, or was cut off, is one step away: `warning` and `warn`. */
function apartOf(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.length >= 4 && long.startsWith(short) ? Math.min(1, distance(a, b)) : distance(a, b);
}

/** Letters to change, add, leave out, or exchange with their neighbour. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const change = row[j]! + (letter === other ? 0 : 1);
      const isSwap = i > 0 && j > 0 && letter === b[j - 1] && a[i - 1] === other;
      const swap = isSwap ? before[j - 1]! + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(change, row[j + 1]! + 1, next[j]! + 1, swap));
    }
    before = row;
    row = next;
  }
  return row.at(-1)!;
}
