/** In parts of at most `limit`; 0 stands for no limit that is known, and then for `ours`. */
export function* chunk<T>(items: readonly T[], limit: number, ours = 1000): Generator<readonly T[]> {
  const size = limit > 0 ? Math.min(limit, ours) : ours;
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
