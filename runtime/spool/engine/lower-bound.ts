/** Where the first entry stands whose key is not below `key`; the entries are in the order of their keys. */
export function lowerBound(entries: readonly { readonly key: Uint8Array }[], key: Uint8Array): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(entries[middle]!.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
