// Sorts the events of a batch into what the ledger takes and what is set aside, each held against what its stream is by
// then: the ledger's word, and the events before it.
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import type { Arrival, ResolvedArrival } from '../ledger/arrival.ts';
import { noReach, type Reach, reaching, readReach, writeIndexes } from '../ledger/reach.ts';
import type { KnownStream, KnownStreams } from '../ledger/stream-registry.ts';
import type { Classified } from './classify.ts';
import type { ReceivedEvent } from './event-source.ts';
import { type Bounds, type Implausible, implausible, implausibleThrough } from './plausible.ts';
import type { SetAsideEvent } from './set-aside.ts';

export interface Sorted {
  readonly arrivals: readonly ResolvedArrival[];
  readonly aside: readonly SetAsideEvent[];
}

/** @param items what `events` are, one each; all streams of them are `known`. */
export async function sortEvents(
  session: Session,
  events: readonly ReceivedEvent[],
  items: readonly Classified[],
  known: KnownStreams,
  bounds: Bounds,
): Promise<Sorted> {
  const arrivals = items.flatMap((item) => (item.kind === 'arrival' ? [item.arrival] : []));
  const ids = arrivals.flatMap((arrival) => [known.of(arrival).id, known.countOf(arrival) ?? []].flat());
  const sorting = new Sorting(known, bounds, await readReach(session, ids));
  for (const [i, item] of items.entries()) sorting.take(events[i]!, item);
  await writeIndexes(session, sorting.indexes);
  return sorting;
}

class Sorting implements Sorted {
  readonly arrivals: ResolvedArrival[] = [];
  readonly aside: SetAsideEvent[] = [];
  /** Of streams whose first message is among these: a message that is set aside says nothing of its stream. */
  readonly indexes = new Map<number, IndexKind>();
  readonly #known: KnownStreams;
  readonly #bounds: Bounds;
  readonly #reach: Map<number, Reach>;

  constructor(known: KnownStreams, bounds: Bounds, reach: Map<number, Reach>) {
    this.#known = known;
    this.#bounds = bounds;
    this.#reach = reach;
  }

  take(event: ReceivedEvent, item: Classified): void {
    if (item.kind === 'aside') {
      this.aside.push({ event, reason: item.reason, detail: item.detail });
      return;
    }
    const { arrival } = item;
    const { batchId } = arrival.stream;
    const stream = this.#known.of(arrival);
    const of = { event, stream: { id: stream.id, batchId } };
    const index = this.#reach.get(stream.id)?.index ?? this.indexes.get(stream.id);
    if (index !== undefined && index !== arrival.index) {
      const detail = `stream ${batchId} is ordered by ${index}, the message says ${arrival.index}`;
      this.aside.push({ ...of, reason: 'index-changed', detail });
      return;
    }
    const problem = this.#judge(arrival, stream, event.enqueuedAt);
    if (problem === undefined) this.#accept(event, arrival, stream);
    else this.aside.push({ event, stream: { id: this.#rowOf(arrival), batchId }, ...problem });
    if (problem === undefined && index === undefined) this.indexes.set(stream.id, arrival.index);
  }

  /** Whose positions it speaks of: of a late message those are the numbers of a count. */
  #rowOf(arrival: Arrival): number {
    const isClaim = 'window' in arrival.content;
    return (isClaim ? undefined : this.#known.countOf(arrival)) ?? this.#known.of(arrival).id;
  }

  #judge(arrival: Arrival, stream: KnownStream, enqueuedAt: number): Implausible | undefined {
    const count = this.#known.countOf(arrival);
    const reach = {
      stream: this.#reachOf(stream.id, enqueuedAt),
      count: count === undefined ? undefined : this.#reachOf(count, enqueuedAt),
    };
    return implausible(arrival, reach, enqueuedAt, this.#bounds);
  }

  #accept(event: ReceivedEvent, arrival: Arrival, { id: streamId }: KnownStream): void {
    const { content, lateThrough, ...rest } = arrival;
    const countId = this.#known.countOf(arrival);
    const said = this.#believedThrough(event, arrival, streamId);
    const claimed: Window | undefined = 'window' in content ? content.window : undefined;
    if (claimed !== undefined) this.#extend(streamId, claimed, event.enqueuedAt);
    const last =
      content.kind === 'late'
        ? content.late.number
        : content.kind === 'late-void'
          ? content.late.last
          : said?.number;
    if (countId !== undefined && last !== undefined) {
      this.#extend(countId, { start: 1, end: last + 1 }, event.enqueuedAt);
    }
    this.arrivals.push({
      ...rest,
      content,
      streamId,
      ...(countId === undefined || last === undefined ? {} : { countId }),
      ...(said === undefined ? {} : { lateThrough: said }),
    });
  }

  /** A window is not refused for what it says of late ones; that alone is set aside. */
  #believedThrough(event: ReceivedEvent, arrival: Arrival, id: number): Arrival['lateThrough'] {
    const { lateThrough } = arrival;
    if (lateThrough === undefined) return undefined;
    const count = this.#known.countOf(arrival);
    const reach = count === undefined ? undefined : this.#reachOf(count, event.enqueuedAt);
    const problem = implausibleThrough(lateThrough.number, reach, event.enqueuedAt, this.#bounds);
    if (problem === undefined) return lateThrough;
    this.aside.push({ event, stream: { id: count ?? id, batchId: arrival.stream.batchId }, ...problem });
    return undefined;
  }

  #reachOf(id: number, now: number): Reach {
    return this.#reach.get(id) ?? noReach(now);
  }

  #extend(id: number, window: Window, now: number): void {
    this.#reach.set(id, reaching(this.#reachOf(id, now), window));
  }
}
