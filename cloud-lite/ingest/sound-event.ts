// Turns what the hub's client delivers into well-formed events. The client passes on whatever was on the wire: a time that
// is no date, a number that is none, properties of any kind. Such an event must neither stop its partition nor get lost
// unnoticed, so it becomes a sound event that says what was wrong with it.
import { describeError } from '../../kernel/errors.ts';
import { cutText } from '../../kernel/text.ts';
import type { ReceivedEvent, SoundEvent } from './event-source.ts';

/** An event as the client delivered it: each field may be of any type, or missing. */
export type GivenEvent = Readonly<Partial<Record<keyof ReceivedEvent, unknown>>> | null | undefined;

/** Hubs of today were not there before, and none will say anything later. UTC epoch ms. */
const times = { start: Date.UTC(2010, 0), end: Date.UTC(2200, 0) };
/** The form of an offset: digits, or parts of them. It is quoted in the filter that a partition is opened with. */
const offsetForm = /^[\w.:-]{1,64}$/;
const maxProblemLength = 200;
/** Nothing removes more events at once: a number further on is none. */
const maxNumberStep = 1e9;
/** Those that were made here. */
const sound = new WeakSet<object>();

/**
 * @param after the number of the event before the first of them. Numbers of a partition grow by one from event to event, but
 * for a hole that goes on behind it: an event that says otherwise has the number of its place.
 */
export function soundEvents(given: readonly GivenEvent[], after: number): readonly SoundEvent[] {
  const said = given.map(numberOf);
  let last = after;
  return given.map((event, i) => {
    if (isSound(event)) {
      last = event.sequenceNumber;
      return event;
    }
    const [own, next] = [said[i], said[i + 1]];
    const isBelieved =
      own !== undefined &&
      (i === 0
        ? isFirst(own, next, said[2], after)
        : follows(own, next, last) || (i === 1 && said[0] === after && goesBack(own, next, after)));
    // The first may come again, so the one behind it says more than what was taken before.
    const place = i === 0 && next !== undefined && next > 0 ? next - 1 : last + 1;
    last = isBelieved ? own : place;
    return soundEvent(event, last, isBelieved);
  });
}

const follows = (own: number, next: number | undefined, last: number) =>
  own === last + 1 || (own > last && next === own + 1);

/** Behind the event that a session begins with: that one's number was wrong when it was taken (ingestor.ts). */
const goesBack = (own: number, next: number | undefined, last: number) =>
  own < last && (next === undefined || next === own + 1);

function isFirst(own: number, next: number | undefined, third: number | undefined, after: number): boolean {
  if (next === undefined) return after < 0 || own <= after + maxNumberStep;
  if (next === own + 1 || own === after || own === after + 1) return true;
  // One of the two is wrong. The second is right where it goes on from what was taken, or the third goes on from it.
  if (next === after + 1 || next === after + 2 || third === next + 1) return false;
  // Where nothing tells, the lower one: all that comes behind a number that is too high would count as read.
  return own < next || third === own + 2;
}

function numberOf(event: GivenEvent): number | undefined {
  try {
    const said = event?.sequenceNumber;
    return typeof said === 'number' && Number.isSafeInteger(said) && said >= 0 ? said : undefined;
  } catch {
    return undefined;
  }
}

function soundEvent(given: GivenEvent, sequenceNumber: number, isNumbered: boolean): SoundEvent {
  const problems: string[] = [];
  /** Whatever reading the field does. */
  const read = (name: keyof ReceivedEvent): unknown => {
    try {
      return given?.[name];
    } catch (error) {
      problems.push(`${name} cannot be read: ${describeError(error)}`);
      return undefined;
    }
  };
  const copy = (name: 'properties' | 'annotations'): Readonly<Record<string, unknown>> => {
    const value = read(name);
    if (value === undefined || value === null) return {};
    try {
      if (typeof value === 'object' && !Array.isArray(value)) return { ...value };
    } catch (error) {
      problems.push(`${name} cannot be read: ${describeError(error)}`);
      return {};
    }
    problems.push(`${name} is no set of names and values`);
    return {};
  };
  if (!isNumbered) problems.push(`its sequence number is ${shown(read('sequenceNumber'))}`);
  const enqueuedAt = read('enqueuedAt');
  const isDated = typeof enqueuedAt === 'number' && enqueuedAt >= times.start && enqueuedAt < times.end;
  if (!isDated) problems.push(`the time when the hub had it is ${shown(enqueuedAt)}`);
  const offset = read('offset');
  const offsetText = typeof offset === 'number' ? String(offset) : offset;
  const event = {
    sequenceNumber,
    offset: typeof offsetText === 'string' && offsetForm.test(offsetText) ? offsetText : '',
    enqueuedAt: isDated ? Math.floor(enqueuedAt) : 0,
    properties: copy('properties'),
    annotations: copy('annotations'),
    messageId: read('messageId'),
    contentType: read('contentType'),
    contentEncoding: read('contentEncoding'),
  };
  const made =
    problems.length === 0 ? event : { ...event, problem: cutText(problems.join('; '), maxProblemLength) };
  sound.add(made);
  return made;
}

const isSound = (event: GivenEvent): event is SoundEvent => event != null && sound.has(event);

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string')
    return `no such thing: ${cutText(String(value), 40)}`;
  return `of the type ${typeof value}`;
}
