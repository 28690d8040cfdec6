// Turns messages into statements about observation. No I/O, no clock.
//
// Whether anything is missing between two messages is told by the messages, never by our connection: the hub keeps
// what comes while this module is away, and delivers it in order. So a number that follows the last one, or without
// numbers a time less than `silenceMs` after it, continues the stream, also across a restart of this module; anything
// else is a break. A sender without numbers that loses a message inside of `silenceMs` is not found out: that is what
// numbers are for.
//
// How far a message proves the stream complete. Messages may come out of order by `latenessMs`, and several may carry one
// time (one message a tag). So the next one, which may be lost, can have any time from `latenessMs` before the latest so
// far, and nothing from there on is stated; what came of it waits in the open window. With numbers only the next message
// settles it; without them, that none has come for as long. In the same way a message that is missing before one that is
// here may have had any time up to `latenessMs` after it: after a break observation begins behind that.
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
  /** How far out of order messages may be; undefined where they are stamped on arrival, each with a time of its own. */
  readonly latenessMs: number | undefined;
  readonly isNumbered: boolean;
  /** What is known of the stream from before; positions count only where messages carry their own time. */
  readonly start: Omit<StreamStart, 'continuity'>;
}

export interface Message {
  readonly samples: readonly PlacedSample[];
  readonly number?: number | undefined;
  /** Monotonic ms. */
  readonly now: number;
}

type Order = 'follows' | 'repeated' | Break;
type Break =
  | 'messages-missed'
  | 'counter-restarted'
  | 'message-without-number'
  | 'message-gap'
  | 'time-went-back';

/** The hub has no more of them under way at once, so it sends no older ones again. */
const maxRepeated = 256;

export class InputStream {
  readonly #options: InputStreamOptions;
  #observation: Observation | undefined;
  /** The stream is complete up to here; undefined where a message may be missing. */
  #until: number | undefined;
  /** The latest time since observation began, and 1. */
  #top: number | undefined;
  /** The latest time of the message before. */
  #previous: number | undefined;
  #number: number | undefined;
  /** Nothing new has come in this process: what the hub sends again comes first. */
  #isFresh = true;
  /** Monotonic ms since when messages, though in order, are far behind the top. */
  #behindSince: number | undefined;

  constructor(options: InputStreamOptions) {
    const { floor, seen, number } = options.start;
    this.#options = options;
    this.#until = floor;
    this.#top = seen ?? floor;
    this.#previous = this.latest;
    this.#number = number;
  }

  /** The position for a reading without a time of its own; undefined before the first message. */
  get latest(): number | undefined {
    return this.#top === undefined ? undefined : this.#top - 1;
  }

  /** A session begins: nothing was stated in it yet. */
  begin(sink: SourceSink): void {
    this.#observation = new Observation(sink);
  }

  /** False where the sink did not take the readings. */
  take(message: Message): boolean {
    const observation = this.#begun();
    const samples = message.samples.toSorted((a, b) => a.index - b.index);
    const [first, last] = [samples[0]?.index, samples.at(-1)?.index];
    const order = this.#orderOf(message, first, last);
    if (order !== 'follows' && order !== 'repeated') this.#break(observation, order);
    if (order === 'repeated' || order === 'message-without-number')
      return observation.late(readingsOf(samples));
    if (first === undefined || last === undefined) this.#count(observation, message.number);
    // One that is not taken comes again.
    else if (!this.#report(observation, message, { samples, first, last })) return false;
    this.#isFresh = false;
    this.#previous = last ?? this.#previous;
    this.#number = message.number ?? this.#number;
    return true;
  }

  /** Takes an unreadable message, of which at most the number is known. `kept`: the reading that preserves its text. */
  refuse(kept: Reading, { number, now }: Omit<Message, 'samples'>): boolean {
    return this.take({ samples: [], number, now }) && this.#begun().late([kept]);
  }

  /** Nothing has come for as long as messages may be out of order. */
  quiet(): void {
    const { isNumbered, latenessMs } = this.#options;
    const observation = this.#begun();
    if (isNumbered || latenessMs === undefined || observation.isBroken || this.#top === undefined) return;
    this.#state(observation, this.#top, undefined);
  }

  #begun(): Observation {
    if (this.#observation === undefined) throw new Error('no session has begun');
    return this.#observation;
  }

  #orderOf({ number, now }: Message, first: number | undefined, last: number | undefined): Order {
    if (!this.#options.isNumbered) return this.#orderByTime(first, last);
    const before = this.#number;
    // Nobody knows how many others without one there were.
    if (number === undefined) return 'message-without-number';
    if (before === undefined) return 'follows';
    if (number === before + 1) return this.#isLeftBehind(last, now) ? 'time-went-back' : 'follows';
    if (number > before) return 'messages-missed';
    // What was safe here before this process began, but the hub does not know it.
    const isOld = last === undefined || (this.#top !== undefined && last < this.#top);
    return this.#isFresh && isOld && before - number < maxRepeated ? 'repeated' : 'counter-restarted';
  }

  #orderByTime(first: number | undefined, last: number | undefined): Order {
    const { silenceMs, latenessMs = 0 } = this.#options;
    const [top, previous] = [this.#top, this.#previous];
    if (first === undefined || last === undefined || top === undefined || previous === undefined)
      return 'follows';
    if (previous - last >= silenceMs + latenessMs) return 'time-went-back';
    return first - top >= silenceMs || first - previous >= silenceMs + latenessMs ? 'message-gap' : 'follows';
  }

  /** The clock of a sender was ahead, and was put right: nothing would be claimed until it has caught up. */
  #isLeftBehind(last: number | undefined, now: number): boolean {
    const { silenceMs, latenessMs = 0 } = this.#options;
    const isBehind =
      last !== undefined && this.#until !== undefined && last < this.#until - silenceMs - latenessMs;
    this.#behindSince = isBehind ? (this.#behindSince ?? now) : undefined;
    return this.#behindSince !== undefined && now - this.#behindSince >= silenceMs;
  }

  #break(observation: Observation, reason: Break): void {
    observation.lose(reason);
    this.#until = undefined;
    this.#behindSince = undefined;
  }

  /** A message without a time. */
  #count(observation: Observation, number: number | undefined): void {
    if (number !== undefined && this.#until !== undefined && !observation.isBroken)
      this.#state(observation, this.#until, number);
  }

  /** A message that follows what is known, or begins anew. False where its readings were not taken. */
  #report(
    observation: Observation,
    { number }: Message,
    { samples, first, last }: { samples: readonly PlacedSample[]; first: number; last: number },
  ): boolean {
    if (observation.isBroken && !this.#resume(observation, { first, last }, number)) {
      this.#until = undefined;
      return observation.late(readingsOf(samples));
    }
    const readings = readingsOf(samples);
    if (readings.length > 0 && !observation.take(readings)) {
      this.#until = undefined;
      return false;
    }
    const { latenessMs } = this.#options;
    const top = Math.max(this.#top ?? last + 1, last + 1);
    if (this.#state(observation, latenessMs === undefined ? top : top - 1 - latenessMs, number))
      this.#top = top;
    return true;
  }

  /** Observation begins where it ended, if it is proven that nothing is missing, or behind all that may be. */
  #resume(
    observation: Observation,
    { first, last }: { readonly first: number; readonly last: number },
    number: number | undefined,
  ): boolean {
    const { latenessMs } = this.#options;
    const until = this.#until;
    const continues = until === undefined ? undefined : this.#proof(first, number);
    if (until !== undefined && continues !== undefined && observation.begin(until, continues) !== undefined)
      return true;
    const from = observation.begin(latenessMs === undefined ? first : last + 1 + Math.max(1, latenessMs));
    [this.#until, this.#top] = [from, undefined];
    return from !== undefined;
  }

  #proof(first: number, number: number | undefined): Continuation | undefined {
    const { silenceMs, latenessMs = 0 } = this.#options;
    if (number !== undefined) return Continuation.nextNumber(this.#number, number);
    return Continuation.keptUpstream({ lastIndex: this.latest, index: first, silenceMs, latenessMs });
  }

  /** False where it is not believed, or there is no room: then something may be missing. */
  #state(observation: Observation, until: number, number: number | undefined): boolean {
    const stated = Math.max(until, this.#until ?? until);
    this.#until = observation.observe(stated, number) ? stated : undefined;
    return this.#until !== undefined;
  }
}

function readingsOf(samples: readonly PlacedSample[]): readonly Reading[] {
  return samples.flatMap(({ index, values }) => values.map((value): Reading => ({ index, ...value })));
}

/** Samples without a time of their own get `arrival`. */
export function placeSamples(samples: readonly Sample[], arrival: number): readonly PlacedSample[] {
  return samples.map(({ time, values }) => ({ index: time ?? arrival, values }));
}
