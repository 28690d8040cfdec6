// What messages mean for observation: the statements that follow from each. No I/O, no clock.
//
// Whether anything is missing between two messages is told by the messages, never by our connection: the hub keeps
// what comes while this module is away, and delivers it in order. So a number that follows the last one, or without
// numbers a time less than `silenceMs` after it, continues the stream, also across a restart of this module; a jump
// in the numbers or a longer time is a break. A sender without numbers that loses a message inside of `silenceMs` is
// not found out: that is what numbers are for.
//
// Where the hole lies. Messages may come out of order by `latenessMs`, and several may carry one time (one message a
// tag). So a message that is missing may have had any time from `latenessMs` before the last one up to `latenessMs` after
// the one that shows that it is missing: nothing of that is claimed, and what came of it goes up as late readings.
import type { Reading } from '../../../wire/reading.ts';
import type { StreamStart } from '../../windows/window-store.ts';
import { Continuation } from '../continuation.ts';
import { Observation } from '../observation.ts';
import type { SourceSink } from '../source.ts';
import type { Sample, SampleValue } from './message-reader.ts';

/** With its place in the stream. */
export interface PlacedSample {
  readonly index: number;
  readonly values: readonly SampleValue[];
}

export interface InputStreamOptions {
  readonly silenceMs: number;
  /** 0 where messages are stamped on arrival: then they are in order, and each has a time of its own. */
  readonly latenessMs: number;
  /** What is known of the stream from before; its floor counts only where messages carry their own time. */
  readonly start: Omit<StreamStart, 'continuity'>;
}

type Order = 'follows' | 'repeated' | 'messages-missed' | 'counter-restarted' | 'message-without-number';

/** The hub has no more of them under way at once, so it sends no older ones again. */
const maxRepeated = 256;

export class InputStream {
  readonly #silenceMs: number;
  readonly #latenessMs: number;
  /** How far observation was stated to reach. */
  #frontier: number | undefined;
  /** The latest time of a message. */
  #latest: number | undefined;
  #number: number | undefined;
  #observation: Observation | undefined;

  constructor({ silenceMs, latenessMs, start }: InputStreamOptions) {
    this.#silenceMs = silenceMs;
    this.#latenessMs = latenessMs;
    this.#frontier = start.floor;
    this.#latest = start.floor === undefined ? undefined : start.floor - 1;
    this.#number = start.number;
  }

  /** Where something without a time of its own belongs; undefined before anything has come. */
  get latest(): number | undefined {
    return this.#latest;
  }

  /** A session begins: nothing was stated in it yet. */
  begin(sink: SourceSink): void {
    this.#observation = new Observation(sink);
  }

  /** One message's samples. False where the sink did not take all that they state. */
  take(samples: readonly PlacedSample[], number: number | undefined): boolean {
    const observation = this.#observation;
    if (observation === undefined) throw new Error('no session has begun');
    const sorted = samples.toSorted((a, b) => a.index - b.index);
    const [first, last] = [sorted[0]?.index, sorted.at(-1)?.index];
    const order = this.#orderOf(number, last);
    const before = this.#number;
    if (order !== 'repeated') this.#number = number ?? before;
    if (order !== 'repeated' && order !== 'follows') this.#lose(observation, order);
    if (first === undefined || last === undefined) return true;
    if (order === 'follows' && number === undefined && this.#isGap(first))
      this.#lose(observation, 'message-gap');
    const begins = observation.isBroken;
    if (begins) this.#begin(observation, { first, last }, this.#proofOf(order, first, before, number));
    const isTaken = this.#add(observation, sorted);
    if (order === 'repeated') return isTaken;
    // From where observation began: a sender's clock that was set back does not reach at once where it was.
    this.#frontier = Math.max(observation.until ?? last + 1, last + 1);
    // One that was delivered again, or late, is not the latest.
    this.#latest = begins ? last : Math.max(this.#latest ?? last, last);
    return observation.observe(this.#frontier, number) && isTaken;
  }

  /** `last`: the latest time in the message. A message that the hub sends again is known by its number and its time. */
  #orderOf(number: number | undefined, last: number | undefined): Order {
    const before = this.#number;
    if (before === undefined) return 'follows';
    // Of a stream whose messages are numbered, nobody knows what came before it.
    if (number === undefined) return 'message-without-number';
    if (number === before + 1) return 'follows';
    if (number > before) return 'messages-missed';
    const isOld = last === undefined || (this.#latest !== undefined && last <= this.#latest);
    return isOld && before - number < maxRepeated ? 'repeated' : 'counter-restarted';
  }

  /** What is missing may have had any time from `latenessMs` before the last message on. */
  #lose(observation: Observation, reason: string): void {
    const { until } = observation;
    observation.lose(reason, until === undefined ? {} : { at: until - this.#latenessMs });
  }

  #proofOf(
    order: Order,
    first: number,
    before: number | undefined,
    number: number | undefined,
  ): Continuation | undefined {
    if (order !== 'follows' && order !== 'repeated') return undefined;
    if (order === 'follows' && number !== undefined) return Continuation.nextNumber(before, number);
    // What is sent again proves nothing yet: what comes behind it does, or is a break.
    const lastIndex = this.#latest;
    const index = order === 'repeated' ? lastIndex : first;
    if (index === undefined) return undefined;
    const { silenceMs, latenessMs } = { silenceMs: this.#silenceMs, latenessMs: this.#latenessMs };
    return Continuation.keptUpstream({ lastIndex, index, silenceMs, latenessMs });
  }

  /** Where it goes on, if that is proven; else where nothing can be missing that was sent before this message. */
  #begin(
    observation: Observation,
    { first, last }: { readonly first: number; readonly last: number },
    continues: Continuation | undefined,
  ): void {
    const frontier = this.#frontier;
    const goesOn =
      continues !== undefined &&
      frontier !== undefined &&
      observation.begin(frontier, continues) !== undefined;
    if (!goesOn) observation.begin(this.#latenessMs === 0 ? first : last + 1 + this.#latenessMs);
  }

  #isGap(index: number): boolean {
    return this.#latest !== undefined && index - this.#latest > this.#silenceMs;
  }

  #add(observation: Observation, samples: readonly PlacedSample[]): boolean {
    const readings = samples.flatMap(({ index, values }) =>
      values.map((value): Reading => ({ index, ...value })),
    );
    return readings.length === 0 || observation.take(readings);
  }
}

/** Samples without a time of their own get `arrival`. */
export function placeSamples(samples: readonly Sample[], arrival: number): readonly PlacedSample[] {
  return samples.map(({ time, values }) => ({ index: time ?? arrival, values }));
}
