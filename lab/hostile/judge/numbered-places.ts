// Where records lie in a stream that their numbers order.
//
// Which position the first number of a round gets is the module's own choice, as long as it lies above all positions that
// were given before: it is learned from the first value that is delivered live, and holds for all others of the round.
// What a round recorded after the last one that was delivered of it has no position any more, once the next has begun.
import type { Via } from './judge.ts';
import type { Made, RecordRules, Records } from './records.ts';

export interface Counted extends Made {
  /** Grows by one with each record of a round; what the equipment shows of it is the rest by the counter's span. */
  readonly count: number;
  /** Grows each time that the counter starts again before its end. */
  readonly round: number;
}

interface Round {
  /** Position less count. */
  readonly base: number;
  /** Position of its first record. */
  readonly begin: number;
  /** Highest position that was delivered live. */
  last: number;
}

export function numberedPlaces<M extends Counted>(
  records: Records<M>,
  span: number,
): Pick<RecordRules<M>, 'placeOf' | 'misplaced'> {
  const rounds = new Map<number, Round>();
  const firstOf = (round: number) => {
    return records.all.reduce(
      (least, made) => (made.round === round ? Math.min(least, made.count) : least),
      Infinity,
    );
  };
  /** Where the round after this one begins. */
  const endOf = (round: number) => {
    let end = Number.POSITIVE_INFINITY;
    for (const [other, { begin }] of rounds) if (other > round) end = Math.min(end, begin);
    return end;
  };
  const placeOf = ({ round, count }: M) => {
    const known = rounds.get(round);
    const place = known && known.base + count;
    return place !== undefined && place < endOf(round) ? place : undefined;
  };
  /** Undefined where the round can begin so. */
  const begin = (made: M, index: number): string | undefined => {
    const base = index - made.count;
    if (rounds.size === 0 && base % span !== 0) return `its record has number ${made.count % span}`;
    for (const [other, { last }] of rounds)
      if (other < made.round && base + firstOf(made.round) <= last)
        return `it is of round ${made.round}, which would begin within round ${other}`;
    rounds.set(made.round, { base, begin: base + firstOf(made.round), last: index });
    return undefined;
  };
  return {
    placeOf,
    misplaced(made, index, via: Via) {
      const round = rounds.get(made.round);
      if (!round) return via === 'live' ? begin(made, index) : `nothing is known of round ${made.round}`;
      const place = placeOf(made);
      if (place !== index)
        return `its record has ${place === undefined ? 'no position' : `position ${place}`}`;
      if (via === 'live') round.last = Math.max(round.last, index);
      return undefined;
    },
  };
}
