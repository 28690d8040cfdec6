// A sorted list with newer entries laid over it: the one way in which the engine puts what is in memory, or in the
// write-ahead log, over what the index has.
interface Keyed {
  readonly key: Uint8Array;
}

/** Both in the order of their keys, backwards with `reverse`. Of a key that both have, the entry of `over` counts. */
export function* overlay<B extends Keyed, O extends Keyed>(
  base: Iterable<B>,
  over: Iterable<O>,
  reverse = false,
): Generator<B | O> {
  const newer = over[Symbol.iterator]();
  let next = newer.next();
  for (const entry of base) {
    let isReplaced = false;
    while (!next.done) {
      const order = Buffer.compare(next.value.key, entry.key) * (reverse ? -1 : 1);
      if (order > 0) break;
      isReplaced ||= order === 0;
      yield next.value;
      next = newer.next();
    }
    if (!isReplaced) yield entry;
  }
  for (; !next.done; next = newer.next()) yield next.value;
}
