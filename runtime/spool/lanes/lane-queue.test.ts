import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LaneEntry, LaneQueue } from './lane-queue.ts';

// The model: what a lane is to the outside is a sorted list, of which some is taken.
type Step =
  | { readonly do: 'append'; readonly count: number }
  | { readonly do: 'take' | 'remove' | 'release'; readonly lane: 'live' | 'backlog'; readonly count: number }
  | { readonly do: 'demote' };

const lane = fc.constantFrom('live' as const, 'backlog' as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('append' as const), count: fc.nat(4) }),
  fc.record({
    do: fc.constantFrom('take' as const, 'remove' as const, 'release' as const),
    lane,
    count: fc.nat(4),
  }),
  fc.constant({ do: 'demote' as const }),
);

class Pair {
  readonly live = new LaneQueue<LaneEntry>();
  readonly backlog = new LaneQueue<LaneEntry>();
  /** What the store holds. */
  readonly stored = new Map<number, LaneEntry>();
  readonly taken = { live: [] as LaneEntry[], backlog: [] as LaneEntry[] };
  demotedBelow = 0;
  next = 1;

  append(count: number): void {
    const from = this.next;
    for (let n = 0; n < count; n++) {
      // Gaps: ids that other records use.
      this.next += 1 + (this.next % 3);
      this.stored.set(this.next, { id: this.next, bytes: this.next % 10, queuedAt: this.next });
    }
    this.next++;
    const added = [...this.stored.values()].filter(({ id }) => id >= from);
    const bytes = added.reduce((sum, entry) => sum + entry.bytes, 0);
    this.live.append(from, this.next, { messages: added.length, bytes, queuedAt: added[0]?.queuedAt ?? 0 });
  }

  take(name: 'live' | 'backlog', messages: number): readonly LaneEntry[] {
    for (;;) {
      const queue = this[name];
      const next = queue.next();
      if (messages === 0 || (next === undefined && queue.inHand === 0)) return [];
      const inHand = new Set([...this.taken.live, ...this.taken.backlog].map(({ id }) => id));
      const found = next
        ? [...this.stored.values()].filter(({ id }) => id >= next.from && id < next.to && !inHand.has(id))
        : [];
      const page = found.slice(0, messages + 1);
      const readTo = page.length <= messages ? (next?.to ?? 0) : page.at(-1)!.id + 1;
      const chosen = queue.choose(page, readTo, { messages, bytes: 1e9 });
      this.taken[name].push(...chosen);
      if (chosen.length > 0 || next === undefined || queue.next() === undefined) return chosen;
    }
  }
}

describe('lanes', () => {
  it('hand out everything once, in order, whatever is removed, released and demoted in between', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pair = new Pair();
        for (const { do: what, ...rest } of steps) {
          const { count = 0, lane: name = 'live' } = rest as { count?: number; lane?: 'live' | 'backlog' };
          if (what === 'append') pair.append(count);
          else if (what === 'take') {
            const ids = pair.take(name, count).map(({ id }) => id);
            expect(ids).toEqual(ids.toSorted((a, b) => a - b));
          } else if (what === 'demote') {
            pair.live.moveTo(pair.backlog);
            pair.demotedBelow = pair.next;
          } else {
            for (const entry of pair.taken[name].splice(0, count)) {
              if (what === 'remove') {
                expect(pair[name].remove(entry.id)).toEqual(entry);
                pair.stored.delete(entry.id);
              } else if (name === 'live' && entry.id < pair.demotedBelow) {
                pair.live.remove(entry.id);
                pair.backlog.adopt(entry);
              } else pair[name].release(entry.id);
            }
          }
          const bytes = [...pair.stored.values()].reduce((sum, entry) => sum + entry.bytes, 0);
          expect(pair.live.messages + pair.backlog.messages).toBe(pair.stored.size);
          expect(pair.live.bytes + pair.backlog.bytes).toBe(bytes);
          const lowest = Math.min(...pair.stored.keys());
          const heads = [pair.live.head(), pair.backlog.head()].filter((head) => head !== undefined);
          if (pair.stored.size > 0) expect(Math.min(...heads)).toBeLessThanOrEqual(lowest);
        }
        // In the end every entry comes out of one lane or the other, just once.
        const out: number[] = [...pair.taken.live, ...pair.taken.backlog].map(({ id }) => id);
        for (const name of ['backlog', 'live'] as const) {
          const rest: number[] = [];
          for (let more = pair.take(name, 3); more.length > 0; more = pair.take(name, 3)) {
            rest.push(...more.map(({ id }) => id));
          }
          expect(rest).toEqual(rest.toSorted((a, b) => a - b));
          out.push(...rest);
        }
        expect(out.toSorted((a, b) => a - b)).toEqual([...pair.stored.keys()].toSorted((a, b) => a - b));
      }),
      { numRuns: 300 },
    );
  });

  it('bound how many segments many short outages may leave', () => {
    const pair = new Pair();
    for (let n = 0; n < 2000; n++) {
      pair.append(2);
      pair.take('live', 1);
      pair.live.moveTo(pair.backlog);
    }
    const ids: number[] = pair.taken.live.map(({ id }) => id);
    for (let more = pair.take('backlog', 100); more.length > 0; more = pair.take('backlog', 100)) {
      ids.push(...more.map(({ id }) => id));
    }
    expect(new Set(ids).size).toBe(pair.stored.size);
    expect(ids.length).toBe(pair.stored.size);
  });
});
