// What messages mean for observation: the statements that follow from each. No I/O, no clock.
//
// Whether anything is missing between two messages is told by the messages, never by our connection: the hub keeps
// what comes while this module is away, and delivers it in order. So a number that follows the last one, or without
// numbers a time less than `silenceMs` after it, continues the stream, also across a restart of this module; a jump
// in the numbers or a longer time is a break. A sender without numbers that loses a message inside of `silenceMs` is
// not found out: that is what numbers are for.
//
// Where the hole lies. Messages may come out of order by `latenessMs`, and several may carry one time (one message a
// tag). So a message that is missing may have had any time from `latenessMs` before the last one up to the one that
// shows that it is missing: nothing of that is claimed, and what came of it goes up as late readings.
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

export class InputStream {
  readonly #silenceMs: number;
  readonly #latenessMs: number;
  /** How far observation was ever stated to reach. */
  #frontier: number | undefined;
  #number: number | undefined;
  #observation: Observation | undefined;

  constructor({ silenceMs, latenessMs, start }: InputStreamOptions) {
    this.#silenceMs = silenceMs;
    this.#latenessMs = latenessMs;
    this.#frontier = start.floor;
    this.#number = start.number;
  }

  /** Where something without a time of its own belongs; undefined before anything has come. */
  get latest(): number | undefined {
    return this.#frontier === undefined ? undefined : this.#frontier - 1;
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
    if (order === 'repeated') return first === undefined || this.#add(observation, sorted);
    const before = this.#number;
    this.#number = number ?? before;
    if (order !== 'follows') this.#lose(observation, order, last);
    if (first === undefined || last === undefined) return true;
    if (number === undefined && this.#isGap(first)) observation.lose('message-gap');
    if (observation.isBroken && order !== 'follows')
      observation.begin(this.#latenessMs > 0 ? last + 1 : first);
    else if (observation.isBroken) this.#resume(observation, first, before, number);
    const isTaken = this.#add(observation, sorted);
    // From where observation began: a sender's clock that was set back does not reach at once where it was.
    this.#frontier = Math.max(observation.until ?? last + 1, last + 1);
    return observation.observe(this.#frontier, number) && isTaken;
  }

  /** `last`: the latest time in the message. A message that the hub sends again is known by its number and its time. */
  #orderOf(
    number: number | undefined,
    last: number | undefined,
  ): 'follows' | 'repeated' | 'messages-missed' | 'counter-restarted' {
    const before = this.#number;
    if (number === undefined || before === undefined || number === before + 1) return 'follows';
    if (number > before) return 'messages-missed';
    const isOld = last === undefined || (this.#frontier !== undefined && last < this.#frontier);
    return isOld ? 'repeated' : 'counter-restarted';
  }

  /** The message at `last` shows that others are missing before it. */
  #lose(observation: Observation, reason: string, last: number | undefined): void {
    if (this.#latenessMs === 0) {
      observation.lose(reason);
      return;
    }
    const at = observation.until === undefined ? {} : { at: observation.until - this.#latenessMs };
    observation.lose(reason, { ...at, ...(last !== undefined && { upTo: last + 1 }) });
  }

  #resume(
    observation: Observation,
    first: number,
    numberBefore: number | undefined,
    number: number | undefined,
  ): void {
    const frontier = this.#frontier;
    const continues =
      number === undefined
        ? Continuation.keptUpstream({ lastIndex: frontier, index: first, silenceMs: this.#silenceMs })
        : Continuation.nextNumber(numberBefore, number);
    const goesOn =
      continues !== undefined &&
      frontier !== undefined &&
      observation.begin(frontier, continues) !== undefined;
    if (!goesOn) observation.begin(first);
  }

  #isGap(index: number): boolean {
    return this.#frontier !== undefined && index - this.#frontier >= this.#silenceMs;
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
