/** How complete a stream is: the share that has data, and the share that has data or a reason for having none. */
export function shareOf(
  lengths: {
    readonly covered: number;
    readonly excused: number;
    readonly missing: number;
  },
  /** Beyond the stream's end: no data yet. */
  unheard = 0,
) {
  const total = lengths.covered + lengths.excused + lengths.missing + unheard;
  if (total <= 0) return { delivered: null, accounted: null };
  return { delivered: lengths.covered / total, accounted: (lengths.covered + lengths.excused) / total };
}
