// One lane, in memory: the position to read from, entries that are taken or were given back, and the depth. It holds ids of
// entries in use only, so memory does not grow with the backlog.
//
// The entries themselves are keys in the store, in order of id. A lane owns segments of that order that
// nobody has read yet. Live and backlog share one key space: when an outage ends, live's unread segments
// move to backlog, which costs nothing however much there is.

export interface LaneEntry {
  /** Position in the lane. */
  readonly id: number;
  readonly bytes: number;
  readonly queuedAt: number;
}

interface Segment {
  from: number;
  /** Exclusive. */
  to: number;
}

// Each outage that ends before the last one's backlog is gone may add a segment. Beyond this, neighbours
// are joined: entries between them are in hand or gone, and are passed over when read again.
const maxSegments = 256;

export class LaneQueue<E extends LaneEntry> {
  readonly #segments: Segment[] = [];
  readonly #taken = new Map<number, E>();
  #returned: E[] = [];
  #messages = 0;
  #bytes = 0;
  // When the first unread entry was queued, as far as known.
  #unreadSince: number | undefined;
  #changes = 0;
  /** The depth is exact: it was counted with each write. */
  #isExact = true;
  readonly #onMissing: (messages: number) => void;

  /** `onMissing`: the store did not show so many entries that were written and not taken out. */
  constructor(onMissing: (messages: number) => void = () => {}) {
    this.#onMissing = onMissing;
  }

  /**
   * Differs once segments were added or moved away. A page that was read before and is chosen from after
   * would take what is no longer here, and count as read what it does not hold.
   */
  get changes(): number {
    return this.#changes;
  }

  get messages(): number {
    return this.#messages;
  }
  get bytes(): number {
    return this.#bytes;
  }
  get inHand(): number {
    return this.#taken.size + this.#returned.length;
  }
  get unread(): number {
    return this.#messages - this.inHand;
  }

  /** Entries with `from <= id < to` have become readable, after all that were before. */
  append(from: number, to: number, added: { messages: number; bytes: number; queuedAt: number }): void {
    if (added.messages === 0) return;
    this.#changes++;
    if (this.unread <= 0) this.#unreadSince = added.queuedAt;
    this.#messages += added.messages;
    this.#bytes += added.bytes;
    // The lane's own entries end where its last segment does: what lies between is other lanes' business.
    const last = this.#segments.at(-1);
    if (last !== undefined) last.to = to;
    else this.#segments.push({ from, to });
  }

  /** The store was replaced: its entries count as unread, except those that are taken. */
  reset(segment: { from: number; to: number } | undefined, held: { messages: number; bytes: number }): void {
    this.#changes++;
    this.#isExact = false;
    this.#segments.length = 0;
    if (segment !== undefined) this.#segments.push({ ...segment });
    this.#recount();
    this.#isExact = false;
    this.#messages += held.messages;
    this.#bytes += held.bytes;
  }

  /** Ids that are taken or were given back. */
  *idsInHand(): Iterable<number> {
    yield* this.#taken.keys();
    for (const { id } of this.#returned) yield id;
  }

  /** Where the next unread entries are. */
  next(): { readonly from: number; readonly to: number } | undefined {
    return this.#segments[0];
  }

  /**
   * Chooses from `page` (what the store holds in `next()`, in order, up to `readTo`) and from what was given
   * back, lowest id first. What is chosen counts as taken.
   */
  choose(page: readonly E[], readTo: number, limit: { messages: number; bytes: number }): readonly E[] {
    const chosen: E[] = [];
    let bytes = 0;
    let at = 0;
    while (chosen.length < limit.messages) {
      while (at < page.length && this.#isInHand(page[at]!.id)) at++;
      const unread = page[at];
      const returned = this.#returned[0];
      const useReturned = returned !== undefined && (unread === undefined || returned.id < unread.id);
      const entry = useReturned ? returned : unread;
      if (entry === undefined || (chosen.length > 0 && bytes + entry.bytes > limit.bytes)) break;
      if (useReturned) this.#returned.shift();
      else at++;
      this.#taken.set(entry.id, entry);
      chosen.push(entry);
      bytes += entry.bytes;
    }
    this.#advance(page[at], readTo);
    return chosen;
  }

  taken(id: number): E | undefined {
    return this.#taken.get(id);
  }

  /** The entry leaves the lane. Undefined if it was not taken from here. */
  remove(id: number): E | undefined {
    const entry = this.#taken.get(id);
    if (entry === undefined) return undefined;
    this.#taken.delete(id);
    this.#messages--;
    this.#bytes -= entry.bytes;
    return entry;
  }

  /** The entry can be taken again, in its old place. */
  release(id: number): void {
    const entry = this.#taken.get(id);
    if (entry === undefined) return;
    this.#taken.delete(id);
    this.#insertReturned(entry);
  }

  /** Moves unread entries and those that were given back to the end of `other`. Taken entries stay here. */
  moveTo(other: LaneQueue<E>): void {
    this.#changes++;
    other.#changes++;
    for (const entry of this.#returned) {
      other.#insertReturned(entry);
      other.#messages++;
      other.#bytes += entry.bytes;
      this.#messages--;
      this.#bytes -= entry.bytes;
    }
    this.#returned = [];
    const takenBytes = [...this.#taken.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    const moved = { messages: this.#messages - this.#taken.size, bytes: this.#bytes - takenBytes };
    if (other.unread <= 0) other.#unreadSince = this.#unreadSince;
    other.#messages += moved.messages;
    other.#bytes += moved.bytes;
    for (const segment of this.#segments) other.#pushSegment({ ...segment });
    this.#messages -= moved.messages;
    this.#bytes -= moved.bytes;
    this.#segments.length = 0;
  }

  /** Takes over one entry that another lane had taken: it was released after the lanes had moved on. */
  adopt(entry: E): void {
    this.#insertReturned(entry);
    this.#messages++;
    this.#bytes += entry.bytes;
  }

  /** Lowest id that may still be in the lane. */
  head(): number | undefined {
    const unread = this.next()?.from;
    let head = unread ?? Number.POSITIVE_INFINITY;
    for (const id of this.#taken.keys()) head = Math.min(head, id);
    for (const entry of this.#returned) head = Math.min(head, entry.id);
    return head === Number.POSITIVE_INFINITY ? undefined : head;
  }

  oldestAt(): number | undefined {
    let oldest = this.unread > 0 ? this.#unreadSince : undefined;
    for (const entry of [...this.#taken.values(), ...this.#returned]) {
      if (oldest === undefined || entry.queuedAt < oldest) oldest = entry.queuedAt;
    }
    return oldest;
  }

  #advance(firstLeft: E | undefined, readTo: number): void {
    const segment = this.#segments[0];
    if (segment === undefined) return;
    segment.from = firstLeft === undefined ? readTo : firstLeft.id;
    if (firstLeft !== undefined) this.#unreadSince = firstLeft.queuedAt;
    if (segment.from < segment.to) return;
    this.#segments.shift();
    if (this.#segments.length === 0) this.#recount();
  }

  #insertReturned(entry: E): void {
    let at = this.#returned.length;
    while (at > 0 && this.#returned[at - 1]!.id > entry.id) at--;
    this.#returned.splice(at, 0, entry);
  }

  #isInHand(id: number): boolean {
    return this.#taken.has(id) || this.#returned.some((entry) => entry.id === id);
  }

  #pushSegment(segment: Segment): void {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.to === segment.from) last.to = segment.to;
    else this.#segments.push(segment);
    if (this.#segments.length <= maxSegments) return;
    this.#segments[0]!.to = this.#segments[1]!.to;
    this.#segments.splice(1, 1);
  }

  // All is read, so the lane holds what is in hand: counts that came from damaged state end here.
  #recount(): void {
    const missing = this.#messages - this.inHand;
    if (this.#isExact && missing > 0) this.#onMissing(missing);
    this.#isExact = true;
    this.#messages = this.inHand;
    this.#bytes = 0;
    for (const entry of [...this.#taken.values(), ...this.#returned]) this.#bytes += entry.bytes;
  }
}
