import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { LaneDepth, LaneName, Lanes, Outgoing } from '../lanes.ts';

export interface FakeLanes extends Lanes {
  /** Queues one message of so many bytes; returns its id. */
  add(lane: LaneName, bytes?: number, at?: number): number;
  readonly acknowledged: readonly number[];
  readonly rejected: readonly { id: number; reason: string }[];
  /** Times that acknowledgements were written. */
  readonly writes: number;
  /** Makes the next writes fail. */
  failing: number;
  /** Ids in a lane, taken or not. */
  ids(lane: LaneName): number[];
  taken(): number[];
}

interface Entry {
  readonly outgoing: Outgoing;
  lane: LaneName;
  readonly at: number;
  taken: boolean;
}

/** Lanes in memory that keep the contract of lanes.ts and refuse what breaks it. */
export function createFakeLanes(now: () => number = () => 0): FakeLanes {
  return new MemoryLanes(now);
}

class MemoryLanes implements FakeLanes {
  readonly acknowledged: number[] = [];
  readonly rejected: { id: number; reason: string }[] = [];
  writes = 0;
  failing = 0;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #entries: Entry[] = [];
  #nextId = 1;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(lane: LaneName, bytes = 1_000, at = this.#now()): number {
    const id = this.#nextId++;
    const message: WireMessage = {
      messageId: `m${id}`,
      properties: { lane },
      contentEncoding: 'utf-8',
      creationTime: 0,
      body: new Uint8Array(0),
    };
    this.#entries.push({ outgoing: { id, lane, bytes, message }, lane, at, taken: false });
    for (const listener of this.#listeners) listener();
    return id;
  }

  ids(lane: LaneName): number[] {
    return this.#of(lane).map(({ outgoing }) => outgoing.id);
  }

  taken(): number[] {
    return this.#entries.filter(({ taken }) => taken).map(({ outgoing }) => outgoing.id);
  }

  async take(lane: LaneName, limit: { messages: number; bytes: number }): Promise<readonly Outgoing[]> {
    await Promise.resolve();
    const taken: Outgoing[] = [];
    let bytes = 0;
    for (const entry of this.#of(lane).filter((candidate) => !candidate.taken)) {
      if (taken.length >= limit.messages) break;
      if (taken.length > 0 && bytes + entry.outgoing.bytes > limit.bytes) break;
      entry.taken = true;
      bytes += entry.outgoing.bytes;
      taken.push({ ...entry.outgoing, lane });
    }
    return taken;
  }

  async acknowledge(entries: readonly Outgoing[]): Promise<void> {
    await Promise.resolve();
    this.#mayFail();
    this.writes++;
    for (const { id } of entries) {
      this.#remove(id);
      this.acknowledged.push(id);
    }
  }

  release(entries: readonly Outgoing[]): void {
    for (const { id } of entries) this.#taken(id).taken = false;
    for (const listener of this.#listeners) listener();
  }

  async reject(entry: Outgoing, reason: string): Promise<void> {
    await Promise.resolve();
    this.#mayFail();
    this.#remove(entry.id);
    this.rejected.push({ id: entry.id, reason });
  }

  demoteLive(): void {
    for (const entry of this.#entries) if (entry.lane === 'live' && !entry.taken) entry.lane = 'backlog';
  }

  depth(lane: LaneName): LaneDepth {
    // As the spool does: what is taken still lies in its lane.
    const entries = this.#of(lane);
    const [first] = entries;
    return {
      messages: entries.length,
      bytes: entries.reduce((sum, { outgoing }) => sum + outgoing.bytes, 0),
      ...(first ? { oldestAt: first.at } : {}),
    };
  }

  onWork(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #of(lane: LaneName): Entry[] {
    return this.#entries.filter((entry) => entry.lane === lane).sort((a, b) => a.outgoing.id - b.outgoing.id);
  }

  #taken(id: number): Entry {
    const entry = this.#entries.find(({ outgoing }) => outgoing.id === id);
    if (!entry?.taken) throw new Error(`entry ${id} is not taken`);
    return entry;
  }

  #remove(id: number): void {
    this.#taken(id);
    this.#entries = this.#entries.filter(({ outgoing }) => outgoing.id !== id);
  }

  #mayFail(): void {
    if (this.failing === 0) return;
    this.failing--;
    throw new Error('the disk is full');
  }
}
