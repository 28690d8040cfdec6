export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Three significant digits: more would be noise. Large counts keep their last digits. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** Lowest and highest, as `2.1-2.4`; one number when they are alike. */
export function spread(values: readonly number[]): string {
  const [low, high] = [rounded(Math.min(...values)), rounded(Math.max(...values))];
  return low === high ? `${low}` : `${low}-${high}`;
}
