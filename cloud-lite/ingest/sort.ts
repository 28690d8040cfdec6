// Sorts the events of a batch into those that the ledger takes and those that are set aside. Each is checked against the
// state of its stream at that point: the ledger, and the earlier events of the batch.
import { hull, type IndexKind, type Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { parseRange } from '../database/multirange.ts';
import type { Arrival, ResolvedArrival } from '../ledger/arrival.ts';
import {
  isAccepted,
  isOwedOtherwise,
  moveStreams,
  noReach,
  type Reach,
  reaching,
  readReach,
  writeIndexes,
  writePlaces,
} from '../ledger/reach.ts';
import type { KnownStream, KnownStreams } from '../ledger/stream-registry.ts';
import type { Classified } from './classify.ts';
import type { ReceivedEvent, SoundEvent } from './event-source.ts';
import type { Move } from './pace.ts';
import {
  type Bounds,
  boundVoid,
  type Implausible,
  implausible,
  implausibleStart,
  implausibleThrough,
  moveOf,
  moveOfCount,
  moveOfStart,
} from './plausible.ts';
import type { SetAsideEvent } from './set-aside.ts';
import { judgedAt } from './stamps.ts';

export interface Sorted {
  readonly arrivals: readonly ResolvedArrival[];
  readonly aside: readonly SetAsideEvent[];
}

/** @param items what `events` are, one each; all streams of them are `known`. */
export async function sortEvents(
  session: Session,
  events: readonly SoundEvent[],
  items: readonly Classified[],
  known: KnownStreams,
  bounds: Bounds,
  now: number,
): Promise<Sorted> {
  const arrivals = items.flatMap((item) => (item.kind === 'arrival' ? [item.arrival] : []));
  const ids = arrivals.flatMap((arrival) => [known.of(arrival).id, known.countOf(arrival) ?? []].flat());
  const sorting = new Sorting(
    known,
    bounds,
    await readReach(session, ids),
    await readAsked(session, arrivals),
  );
  for (const [i, item] of items.entries()) sorting.take(events[i]!, item);
  await writeIndexes(session, sorting.indexes);
  await moveStreams(session, sorting.moved, 'two that came after it agree', now);
  await writePlaces(session, sorting.placed());
  return sorting;
}

/** What was asked for, by the requests that voids answer. */
type Asked = ReadonlyMap<string, { readonly streamId: number; readonly range: Window }>;

async function readAsked(session: Session, arrivals: readonly Arrival[]): Promise<Asked> {
  const ids = arrivals.flatMap(({ content, requestId }) =>
    requestId !== undefined && (content.kind === 'void' || content.kind === 'late-void') ? [requestId] : [],
  );
  if (ids.length === 0) return new Map();
  const rows = await session.query<{ id: string; stream_id: number; range: string }>(
    'select id, stream_id, range::text from request where id = any($1::text[])',
    [[...new Set(ids)]],
  );
  return new Map(rows.map((row) => [row.id, { streamId: row.stream_id, range: parseRange(row.range)! }]));
}

class Sorting implements Sorted {
  arrivals: ResolvedArrival[] = [];
  readonly aside: SetAsideEvent[] = [];
  /** The index of streams whose first accepted message is in this batch: a message that is set aside tells nothing about its stream. */
  readonly indexes = new Map<number, IndexKind>();
  /** Streams that are elsewhere than their first message said, and where. */
  readonly moved = new Map<number, Window>();
  /** The events of `arrivals`. */
  readonly #events = new Map<ResolvedArrival, ReceivedEvent>();
  readonly #changed = new Set<number>();
  readonly #known: KnownStreams;
  readonly #bounds: Bounds;
  readonly #reach: Map<number, Reach>;
  readonly #asked: Asked;

  constructor(known: KnownStreams, bounds: Bounds, reach: Map<number, Reach>, asked: Asked) {
    this.#asked = asked;
    this.#known = known;
    this.#bounds = bounds;
    this.#reach = reach;
  }

  take(event: SoundEvent, item: Classified): void {
    if (item.kind === 'aside') {
      this.aside.push({ event, reason: item.reason, detail: item.detail });
      return;
    }
    let { arrival } = item;
    const { batchId } = arrival.stream;
    const stream = this.#known.of(arrival);
    const of = { event, stream: { id: stream.id, batchId } };
    const index = this.#reach.get(stream.id)?.index ?? this.indexes.get(stream.id);
    if (index !== undefined && index !== arrival.index) {
      const detail = `stream ${batchId} is ordered by ${index}, the message says ${arrival.index}`;
      this.aside.push({ ...of, reason: 'index-changed', detail });
      return;
    }
    const bounded = this.#bounded(arrival, stream, judgedAt(event));
    const isClaimed = bounded !== 'nothing';
    let problem = isClaimed && 'reason' in bounded ? bounded : undefined;
    if (isClaimed && !('reason' in bounded)) arrival = bounded;
    if (isClaimed) problem ??= this.#judge(arrival, stream, judgedAt(event));
    if (problem?.reason === 'implausible-jump' && this.#contradicts(arrival, stream.id, judgedAt(event)))
      problem = this.#judge(arrival, stream, judgedAt(event));
    if (problem === undefined) this.#accept(event, arrival, stream, isClaimed);
    else this.aside.push({ event, stream: { id: this.#rowOf(arrival), batchId }, ...problem });
    if (problem === undefined && index === undefined) this.indexes.set(stream.id, arrival.index);
  }

  #bounded(arrival: Arrival, stream: KnownStream, at: number): ReturnType<typeof boundVoid> {
    const count = this.#known.countOf(arrival);
    const reach = {
      stream: this.#reachOf(stream.id, at),
      count: count === undefined ? undefined : this.#reachOf(count, at),
    };
    const { requestId: id = '' } = arrival;
    const asked = this.#asked.get(id);
    const answered = asked && { id, range: asked.range, isOfIt: asked.streamId === this.#rowOf(arrival) };
    return boundVoid(arrival, reach, answered, at, this.#bounds);
  }

  /** The row whose positions the arrival names: of a late message, the row of the late count. */
  #rowOf(arrival: Arrival): number {
    const isClaim = 'window' in arrival.content;
    return (isClaim ? undefined : this.#known.countOf(arrival)) ?? this.#known.of(arrival).id;
  }

  /** Streams whose place is to be written down. */
  placed(): ReadonlyMap<number, Reach> {
    return new Map([...this.#changed].map((id) => [id, this.#reach.get(id)!]));
  }

  /**
   * A stream's first message may have said anything. While no other bore it out, two that lie elsewhere and agree with each
   * other count more than it does. Returns whether the stream has moved to them.
   */
  #contradicts({ content }: Arrival, id: number, at: number): boolean {
    const reach = this.#reachOf(id, at);
    if (!('window' in content) || reach.isPlaced) return false;
    const { window } = content;
    const { rival } = reach;
    const isSame = rival?.start === window.start && rival.end === window.end;
    if (isSame) return false;
    const between = rival && Math.max(rival.start - window.end, window.start - rival.end);
    const agrees = between !== undefined && between <= this.#bounds.maxJump;
    this.#changed.add(id);
    if (!agrees) {
      this.#reach.set(id, { ...reach, rival: window });
      return false;
    }
    const place = hull(rival!, window);
    this.#reach.set(id, {
      ...reach,
      span: place,
      isPlaced: true,
      rival: undefined,
      leapt: 0,
      leaptAt: at,
      owed: 0,
      saidStart: undefined,
    });
    this.moved.set(id, place);
    this.#withdraw(id);
    return true;
  }

  /** Sets aside what this batch took of the stream: its position was wrong. */
  #withdraw(id: number): void {
    const isWrong = ({ streamId, content }: ResolvedArrival) =>
      streamId === id && (content.kind === 'batch' || content.kind === 'void');
    for (const arrival of this.arrivals.filter(isWrong)) {
      const detail = 'the first message of its stream, which two others contradict that agree';
      const stream = { id, batchId: arrival.stream.batchId };
      this.aside.push({ event: this.#events.get(arrival)!, stream, reason: 'implausible-jump', detail });
    }
    this.arrivals = this.arrivals.filter((arrival) => !isWrong(arrival));
  }

  #judge(arrival: Arrival, stream: KnownStream, enqueuedAt: number): Implausible | undefined {
    const count = this.#known.countOf(arrival);
    const reach = {
      stream: this.#reachOf(stream.id, enqueuedAt),
      count: count === undefined ? undefined : this.#reachOf(count, enqueuedAt),
    };
    return implausible(arrival, reach, enqueuedAt, this.#bounds);
  }

  #accept(event: SoundEvent, arrival: Arrival, { id: streamId }: KnownStream, isClaimed: boolean): void {
    const { content, lateThrough, streamStart, ...rest } = arrival;
    const countId = this.#known.countOf(arrival);
    const said = this.#believedThrough(event, arrival, streamId);
    const claimed: Window | undefined = isClaimed && 'window' in content ? content.window : undefined;
    if (claimed !== undefined) this.#claim(streamId, arrival, claimed, judgedAt(event));
    const began =
      streamStart === undefined || !isClaimed
        ? undefined
        : this.#believedStart(event, arrival, streamId, streamStart);
    const last =
      content.kind === 'late'
        ? content.late.number
        : content.kind === 'late-void'
          ? content.late.last
          : said?.number;
    if (countId !== undefined && last !== undefined) this.#count(countId, last, judgedAt(event));
    const taken: ResolvedArrival = {
      ...rest,
      content: isClaimed ? content : { kind: 'unclaimed' },
      streamId,
      ...(countId === undefined || last === undefined ? {} : { countId }),
      ...(said === undefined ? {} : { lateThrough: said }),
      ...(began === undefined ? {} : { streamStart: began }),
    };
    this.arrivals.push(taken);
    this.#events.set(taken, event);
  }

  /** An implausible late count does not set the window itself aside; only its count is set aside. */
  #believedThrough(event: SoundEvent, arrival: Arrival, id: number): Arrival['lateThrough'] {
    const { lateThrough } = arrival;
    if (lateThrough === undefined) return undefined;
    const count = this.#known.countOf(arrival);
    const reach = count === undefined ? undefined : this.#reachOf(count, judgedAt(event));
    const problem = implausibleThrough(lateThrough.number, reach, judgedAt(event), this.#bounds);
    if (problem === undefined) return lateThrough;
    this.aside.push({ event, stream: { id: count ?? id, batchId: arrival.stream.batchId }, ...problem });
    return undefined;
  }

  /**
   * Where the stream says that it began, where that is before all that is known of it and can be: then what lies between
   * was sent and did not come. A beginning that cannot be is noted once, and costs the message nothing.
   */
  #believedStart(
    event: SoundEvent,
    { stream, index }: Arrival,
    id: number,
    start: number,
  ): number | undefined {
    const reach = this.#reachOf(id, judgedAt(event));
    const { span } = reach;
    if (span === undefined || start >= span.start || start === reach.saidStart) return undefined;
    const detail = implausibleStart(start, index, { ...reach, span }, judgedAt(event), this.#bounds);
    if (detail !== undefined) {
      this.#changed.add(id);
      this.#reach.set(id, { ...reach, saidStart: start });
      const of = { event, stream: { id, batchId: stream.batchId }, window: { start, end: span.start } };
      this.aside.push({ ...of, reason: 'implausible-start', detail });
      return undefined;
    }
    const known = reaching(reach, { start, end: span.start });
    if (index === 'time') this.#reach.set(id, known);
    else {
      const move = moveOfStart(start, reach, judgedAt(event), this.#bounds);
      const leapt = isAccepted(reach, { start, end: span.start }) ? reach.leapt : move.leapt;
      this.#place(id, known, { ...move, leapt }, judgedAt(event), reach.isPlaced);
    }
    return start;
  }

  #reachOf(id: number, now: number): Reach {
    return this.#reach.get(id) ?? noReach(now);
  }

  #claim(id: number, arrival: Arrival, window: Window, at: number): void {
    const before = this.#reachOf(id, at);
    const reach = reaching(before, window);
    if (arrival.index === 'time') {
      this.#reach.set(id, reach);
      return;
    }
    // What a person accepted is explained.
    const move = moveOf(arrival, window, before, at, this.#bounds);
    const leapt = isAccepted(before, window) ? before.leapt : move.leapt;
    const isFirst = before.span === undefined;
    const isAgain = before.span?.start === window.start && before.span.end === window.end;
    const isPlaced = before.isPlaced || !(isFirst || isAgain);
    this.#place(id, reach, { ...move, leapt }, at, isPlaced);
  }

  #count(id: number, last: number, at: number): void {
    const before = this.#reachOf(id, at);
    const move = moveOfCount(last, before, at, this.#bounds);
    this.#place(id, reaching(before, { start: 1, end: last + 1 }), move, at, true);
  }

  /** Noted only where it says something: most streams only ever go on. */
  #place(id: number, before: Reach, move: Move, at: number, isPlaced: boolean): void {
    const level = Math.max(0, move.leapt);
    const reach = { ...before, until: Math.max(before.until, at), owed: move.owed };
    const isOwed = isOwedOtherwise(before, reach);
    if (level > 0 || reach.leapt > 0 || isPlaced !== reach.isPlaced || isOwed) this.#changed.add(id);
    const rival = isPlaced ? undefined : reach.rival;
    this.#reach.set(id, { ...reach, leapt: level, leaptAt: at, isPlaced, rival });
  }
}
