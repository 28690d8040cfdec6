// Where records lie in a stream that their numbers order.
//
// Which position the first number of a round gets is the module's own choice, as long as no position is used twice and
// all of one round lie above those of the round before: it is learned from the first value that is delivered, and holds
// for all others of the round.
import type { Made, RecordRules, Records } from './records.ts';

export interface Counted extends Made {
  /** Grows by one with each record of a round; what the equipment shows of it is the rest by the counter's span. */
  readonly count: number;
  /** Grows each time that the counter starts again before its end. */
  readonly round: number;
}

export function numberedPlaces<M extends Counted>(
  records: Records<M>,
  span: number,
): Pick<RecordRules<M>, 'placeOf' | 'misplaced'> {
  /** By round: position less count. */
  const bases = new Map<number, number>();
  const placeOf = ({ round, count }: M) => {
    const base = bases.get(round);
    return base === undefined ? undefined : base + count;
  };
  const countsOf = (round: number) => {
    const counts = records.all.filter((made) => made.round === round).map(({ count }) => count);
    return { first: Math.min(...counts), last: Math.max(...counts) };
  };
  /** Undefined where the rounds would not overlap. */
  const overlap = (round: number, base: number): string | undefined => {
    const { first, last } = countsOf(round);
    for (const [other, otherBase] of bases) {
      const known = countsOf(other);
      const isApart =
        other < round ? base + first > otherBase + known.last : base + last < otherBase + known.first;
      if (!isApart) return `it is of round ${round}, whose positions would be those of round ${other}`;
    }
    return undefined;
  };
  return {
    placeOf,
    misplaced(made, index) {
      const place = placeOf(made);
      if (place !== undefined) return place === index ? undefined : `its record has position ${place}`;
      const base = index - made.count;
      if (bases.size === 0 && base % span !== 0) return `its record has number ${made.count % span}`;
      const problem = overlap(made.round, base);
      if (problem === undefined) bases.set(made.round, base);
      return problem;
    },
  };
}
