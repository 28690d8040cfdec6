// The lanes on disk: pointers in key order, read a page at a time through the queues in memory.
//
// Crash argument. A pointer is written in the same synced batch as the message that it names, so what is
// in a lane is always there to be sent. It is deleted, unsynced, after the hub has acknowledged: a power
// cut may bring it back, which sends the message twice, never not at all. After a start everything
// unsent is backlog, whatever it was before.
import { codeOf, describeError, type HoldfastError } from '../../../kernel/errors.ts';
import type { LaneDepth, LaneName, Lanes, Outgoing } from '../../uplink/lanes.ts';
import type { SpoolCore } from '../core/core.ts';
import type { BatchOp } from '../engine/store.ts';
import { idKey, queuedKey } from '../format/keys.ts';
import { encodePointer, type Pointer } from '../format/message-record.ts';
import type { Count } from '../format/totals.ts';
import { lowest, type NewEntries, removalOps } from './lane-entries.ts';
import { LaneQueue } from './lane-queue.ts';
import { LaneReader, type QueuedMessage, type Unread } from './lane-reader.ts';
import { PendingEntries } from './pending-entries.ts';
import { decideWithheld } from './withheld.ts';

// While the disk refuses, acknowledgements wait in memory. Beyond this nothing more is handed out.
const maxPendingOps = 50_000;
const maxTake = 1000;
const nothing = { page: [], readTo: 0 };
const none: Count = { messages: 0, bytes: 0 };

export interface LaneStoreOptions {
  readonly core: SpoolCore;
  /** Further operations that are needed when a message is refused for good. */
  readonly onRejected: (messageId: number) => Promise<readonly BatchOp[]>;
  /** Called with the number of entries that are missing. */
  readonly onMissing: (messages: number) => void;
  /** Removes the claim of a withheld entry, which is taken: its message leaves the lane, and its readings are sent as late ones. */
  readonly unclaim: (lane: 'live' | 'backlog', entry: QueuedMessage, message: Buffer) => Promise<void>;
}

export class LaneStore implements Lanes {
  readonly #core: SpoolCore;
  readonly #reader: LaneReader;
  readonly #onRejected: (messageId: number) => Promise<readonly BatchOp[]>;
  readonly #queues: Record<LaneName, LaneQueue<QueuedMessage>>;
  readonly #listeners = new Set<() => void>();
  // First ids of entries on their way to the disk: the persisted heads must not pass them.
  readonly #announced: Record<'unsent' | 'backfill', number[]> = { unsent: [], backfill: [] };
  // Entries of `live` below this were there when an outage ended.
  #demotedBelow = 0;
  #lock: Promise<unknown> = Promise.resolve();
  readonly #pending: PendingEntries;
  readonly #unclaim: LaneStoreOptions['unclaim'];

  constructor(options: LaneStoreOptions) {
    this.#core = options.core;
    const newQueue = () => new LaneQueue<QueuedMessage>(options.onMissing);
    this.#queues = { live: newQueue(), backlog: newQueue(), backfill: newQueue() };
    this.#unclaim = options.unclaim;
    this.#pending = new PendingEntries(options.core, (entries) => {
      for (const { lane, id } of entries) this.#release(lane, id);
      this.#announceWork();
    });
    this.#reader = new LaneReader(options.core);
    this.#onRejected = options.onRejected;
  }

  /** Everything in the store is backlog now. One bounded read per lane, from where the heads are known to be. */
  async load(heads: { unsentHead: number; backfillHead: number }): Promise<void> {
    const core = this.#core;
    const { unsent, backfill } = core.totals;
    const loads = [
      ['u', 'backlog', heads.unsentHead, unsent],
      ['b', 'backfill', heads.backfillHead, backfill],
    ] as const;
    for (const [space, lane, head, count] of loads) {
      const [first] = await this.#reader.pointers(space, head, core.nextId, 1);
      if (first === undefined) continue;
      // Whatever the counter says: there is one at least.
      const messages = Math.max(1, count.messages);
      this.#queues[lane].append(first.id, core.nextId, { ...count, messages, queuedAt: first.queuedAt });
    }
  }

  /** The store was replaced: `counts` are its contents now. Taken entries stay taken. */
  reset(counts: { unsent: Count; backfill: Count }): void {
    const { live, backlog, backfill } = this.#queues;
    const to = this.#core.nextId;
    this.demoteLive();
    live.reset(undefined, none);
    const inHand = live.inHand + backlog.inHand;
    const rest = (count: Count, taken: number) => ({
      ...count,
      messages: Math.max(0, count.messages - taken),
    });
    backlog.reset({ from: 0, to }, rest(counts.unsent, inHand));
    backfill.reset({ from: 0, to }, rest(counts.backfill, backfill.inHand));
    this.#announceWork();
  }

  heads(): { unsent: number | undefined; backfill: number | undefined } {
    const { live, backlog, backfill } = this.#queues;
    return {
      unsent: lowest([live.head(), backlog.head(), this.#announced.unsent[0]]),
      backfill: lowest([backfill.head(), this.#announced.backfill[0]]),
    };
  }

  /** Puts messages `first..first+n-1` (ids just allocated) into the live lane. */
  queueLive(pointers: readonly Pointer[]): NewEntries {
    const core = this.#core;
    const ops = pointers.map((pointer) => core.put('P', idKey('u', pointer.id), encodePointer(pointer)));
    return this.#entries('unsent', 'live', pointers, pointers[0]?.id ?? 0, ops, core.nextId);
  }

  /** Puts messages into the backfill lane, marked as their pointers say. */
  queueBackfill(pointers: readonly Pointer[]): NewEntries {
    const core = this.#core;
    const first = core.allocate(pointers.length);
    const ops = pointers.flatMap((pointer, n) => [
      core.put('P', idKey('b', first + n), encodePointer(pointer)),
      core.put('Q', queuedKey(pointer.id, first + n), new Uint8Array(0)),
    ]);
    return this.#entries('backfill', 'backfill', pointers, first, ops, core.nextId);
  }

  take(lane: LaneName, limit: { messages: number; bytes: number }): Promise<readonly Outgoing[]> {
    const taken = this.#lock.then(() => this.#take(lane, limit));
    this.#lock = taken.catch(() => {});
    return taken;
  }

  async acknowledge(entries: readonly Outgoing[]): Promise<void> {
    const ops: BatchOp[] = [];
    const delta = { unsent: { messages: 0, bytes: 0 }, backfill: { messages: 0, bytes: 0 } };
    for (const entry of entries) {
      const removed = this.#queues[entry.lane].remove(entry.id);
      if (removed === undefined) continue;
      ops.push(...removalOps(entry.lane, removed));
      const count = delta[entry.lane === 'backfill' ? 'backfill' : 'unsent'];
      count.messages--;
      count.bytes -= removed.bytes;
    }
    if (ops.length > 0) await this.#core.submit({ ops, sync: false, delta });
  }

  release(entries: readonly Outgoing[]): void {
    for (const entry of entries) this.#release(entry.lane, entry.id);
    if (entries.length > 0) this.#announceWork();
  }

  // What was live when it was taken is backlog once the lane has been demoted.
  #release(lane: LaneName, id: number): void {
    const queue = this.#queues[lane];
    if (lane !== 'live' || id >= this.#demotedBelow) {
      queue.release(id);
      return;
    }
    const entry = queue.remove(id);
    if (entry !== undefined) this.#queues.backlog.adopt(entry);
  }

  async reject(entry: Outgoing, reason: string): Promise<void> {
    const core = this.#core;
    const taken = this.#queues[entry.lane].taken(entry.id);
    if (taken === undefined) return;
    // Where the disk refuses this, the entry stays where it is.
    const unindexed = await this.#onRejected(taken.messageId);
    const { ops, delta } = this.removeTaken(entry.lane, [taken]);
    if (ops.length === 0) return;
    core.metrics.count('holdfast_spool_rejected_total');
    const facts = { lane: entry.lane, reason, at: core.clock.now() };
    const note = core.putJson('X', idKey('x', taken.messageId), facts);
    await core.submit({ ops: [...ops, ...unindexed, note], sync: true, delta: { ...delta, rejected: 1 } });
  }

  demoteLive(): void {
    const { live, backlog } = this.#queues;
    this.#demotedBelow = this.#core.nextId;
    live.moveTo(backlog);
    this.#announceWork();
  }

  depth(lane: LaneName): LaneDepth {
    const queue = this.#queues[lane];
    const oldestAt = queue.messages > 0 ? queue.oldestAt() : undefined;
    return {
      messages: Math.max(0, queue.messages),
      bytes: Math.max(0, queue.bytes),
      ...(oldestAt === undefined ? {} : { oldestAt }),
    };
  }

  onWork(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Which of the messages `from..to-1` wait in a lane. */
  queuedIds(from: number, to: number): Promise<ReadonlySet<number>> {
    return this.#reader.queuedIds(from, to);
  }

  /** Takes entries as `take` does, without their messages: to remove them unsent. */
  takeEntries(lane: LaneName, messages: number): Promise<readonly QueuedMessage[]> {
    const taken = this.#lock.then(() => this.#choose(lane, { messages, bytes: Number.MAX_SAFE_INTEGER }));
    this.#lock = taken.catch(() => {});
    return taken;
  }

  returnEntries(lane: LaneName, entries: readonly QueuedMessage[]): void {
    for (const entry of entries) this.#release(lane, entry.id);
  }

  /** Taken entries leave the lane; the deletion of their pointers is the caller's to submit. */
  removeTaken(lane: LaneName, entries: readonly QueuedMessage[]): Pick<NewEntries, 'ops' | 'delta'> {
    const ops: BatchOp[] = [];
    let bytes = 0;
    let messages = 0;
    for (const { id } of entries) {
      const removed = this.#queues[lane].remove(id);
      if (removed === undefined) continue;
      ops.push(...removalOps(lane, removed));
      messages--;
      bytes -= removed.bytes;
    }
    return { ops, delta: { [lane === 'backfill' ? 'backfill' : 'unsent']: { messages, bytes } } };
  }

  #entries(
    space: 'unsent' | 'backfill',
    lane: 'live' | 'backfill',
    pointers: readonly Pointer[],
    first: number,
    ops: readonly BatchOp[],
    end: number,
  ): NewEntries {
    const bytes = pointers.reduce((sum, pointer) => sum + pointer.bytes, 0);
    const count = { messages: pointers.length, bytes };
    if (pointers.length === 0) return { ops: [], delta: {}, publish: () => {} };
    const announced = this.#announced[space];
    announced.push(first);
    return {
      ops,
      delta: { [space]: count },
      publish: () => {
        announced.splice(announced.indexOf(first), 1);
        this.#queues[lane].append(first, end, { ...count, queuedAt: pointers[0]!.queuedAt });
        this.#announceWork();
      },
    };
  }

  async #take(lane: LaneName, limit: { messages: number; bytes: number }): Promise<readonly Outgoing[]> {
    if (this.#core.committer.pendingOps > maxPendingOps || this.#pending.isFull) return [];
    for (;;) {
      const chosen = await this.#choose(lane, limit);
      if (chosen.length === 0) return [];
      const outgoing = await this.#load(lane, chosen);
      if (outgoing.length > 0) return outgoing;
    }
  }

  async #choose(
    lane: LaneName,
    limit: { messages: number; bytes: number },
  ): Promise<readonly QueuedMessage[]> {
    const bounded = { messages: Math.min(limit.messages, maxTake), bytes: limit.bytes };
    if (bounded.messages <= 0) return [];
    const queue = this.#queues[lane];
    for (;;) {
      const next = queue.next();
      if (next === undefined && queue.inHand === 0) return [];
      const { changes } = queue;
      const read = next === undefined ? nothing : await this.#readPage(lane, next, bounded.messages + 1);
      // A commit or a demotion came between: at most a few a second, so this ends.
      if (queue.changes !== changes) continue;
      const chosen = queue.choose(read.page, read.readTo, bounded);
      if (chosen.length > 0) return chosen;
      if (next === undefined || queue.next() === undefined) return [];
    }
  }

  /** Reads the entries of `next`, at most `limit`, and how far they reach. */
  async #readPage(lane: LaneName, next: { from: number; to: number }, limit: number) {
    const space = lane === 'backfill' ? 'b' : 'u';
    const read = await this.#reader.pointers(space, next.from, next.to, limit);
    const readTo = read.length < limit ? next.to : read.at(-1)!.id + 1;
    // After a repair all of the space is read again, with what `live` has in hand.
    const elsewhere = new Set(lane === 'backlog' ? this.#queues.live.idsInHand() : []);
    return { page: read.filter(({ id }) => !elsewhere.has(id)), readTo };
  }

  async #load(lane: LaneName, chosen: readonly QueuedMessage[]): Promise<readonly Outgoing[]> {
    let values: readonly (Uint8Array | Unread | undefined)[];
    try {
      values = await this.#reader.messages(chosen.map(({ messageId }) => messageId));
    } catch (error) {
      for (const entry of chosen) this.#queues[lane].release(entry.id);
      throw error;
    }
    const outgoing: Outgoing[] = [];
    for (const [n, entry] of chosen.entries()) {
      const [key, value] = [idKey('r', entry.messageId), values[n]];
      if (value !== undefined && 'unread' in value) {
        this.#passOver(lane, entry, key, value);
        continue;
      }
      if (lane !== 'backfill' && value !== undefined && this.#isWithheld(lane, entry, key, value)) continue;
      const opened = this.#reader.message(key, value, entry);
      if ('message' in opened)
        outgoing.push({ id: entry.id, lane, bytes: entry.bytes, message: opened.message });
      else this.#dropDamaged(lane, entry, key, value, opened.error);
    }
    return outgoing;
  }

  /** Keeps the entry taken, so that later ones can be sent; it is tried again in a while. */
  #passOver(lane: LaneName, entry: QueuedMessage, key: Uint8Array, { unread, isLost }: Unread): void {
    if (isLost) {
      this.#dropDamaged(lane, entry, key, undefined, unread);
      return;
    }
    this.#pending.addUnreadable({ lane, id: entry.id }, unread);
  }

  /** True where the message is not handed out: it waits for the hub's word, or does not claim its window any more. */
  #isWithheld(lane: 'live' | 'backlog', entry: QueuedMessage, key: Uint8Array, value: Uint8Array): boolean {
    if (!entry.withheld) return false;
    const core = this.#core;
    const decision = decideWithheld(core.hub, entry.messageId);
    if (decision === 'send') return false;
    if (decision === 'wait' && this.#pending.withhold({ lane, id: entry.id })) return true;
    this.#dropClaim(lane, entry, key, value).catch((error) => {
      core.log.warn(
        { code: codeOf(error, 'disk-refuses'), error: describeError(error) },
        'could not withdraw the claim of a window; retrying',
      );
      this.#release(lane, entry.id);
    });
    return true;
  }

  async #dropClaim(lane: 'live' | 'backlog', entry: QueuedMessage, key: Uint8Array, value: Uint8Array) {
    const opened = this.#reader.payload(key, value);
    if ('error' in opened) this.#dropDamaged(lane, entry, key, value, opened.error);
    else await this.#unclaim(lane, entry, opened.payload);
  }

  /** The hub has answered: withheld entries are decided now. */
  hubHeard(): void {
    this.#pending.hubHeard();
  }

  get withheld(): number {
    return this.#pending.withheld;
  }

  /** No timer is left behind. */
  close(): void {
    this.#pending.close();
  }

  // The window stays a hole in the coverage: the detector asks for it, and the source's history may have it.
  // Not waited for: if this is lost with the process, the next start meets the same damage again.
  #dropDamaged(
    lane: LaneName,
    entry: QueuedMessage,
    key: Uint8Array,
    value: Uint8Array | undefined,
    error: HoldfastError,
  ): void {
    this.#queues[lane].remove(entry.id);
    this.#removeDamaged(lane, entry, key, value, error).catch((cause) => {
      this.#core.log.warn(
        { code: codeOf(cause, 'disk-refuses'), error: describeError(cause) },
        'a damaged record could not be quarantined; it stays in place',
      );
    });
  }

  async #removeDamaged(
    lane: LaneName,
    entry: QueuedMessage,
    key: Uint8Array,
    value: Uint8Array | undefined,
    error: HoldfastError,
  ): Promise<void> {
    const core = this.#core;
    const space = lane === 'backfill' ? 'backfill' : 'unsent';
    const ops = [
      ...removalOps(lane, entry),
      ...(await this.#onRejected(entry.messageId)),
      ...core.quarantine(key, value, error),
    ];
    const delta = { [space]: { messages: -1, bytes: -entry.bytes }, damaged: 1 };
    await core.submit({ ops, sync: true, delta });
  }

  #announceWork(): void {
    for (const listener of this.#listeners) listener();
  }
}
