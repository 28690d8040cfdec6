// The disk of an episode, as windows see it: what is committed stays through a kill, what is not is gone. It can refuse
// for a while, and it can be rolled back to an older state, which loses what was not sent by then.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import type {
  ClosedWindow,
  EncodedWindow,
  StreamChange,
  StreamStart,
  WindowStore,
} from '../../../runtime/windows/window-store.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';

export interface StoreListener {
  /** A window whose bounds are final, and durable since commit `commit`. `by`: all of it was stated by then, true time. */
  onStored(closed: ClosedWindow, commit: number, by: number): void;
}

interface Journal {
  readonly start: number;
  end: number;
  readings: readonly Reading[];
}

/** All that is on the disk, but the windows, which go to the listener. */
interface State {
  readonly floor?: number;
  readonly seen?: number;
  readonly number?: number;
  /** When more was claimed last: true time, and by the wall clock. */
  readonly committed?: { readonly up: number; readonly wall: number };
  readonly journal?: Journal;
  /** When it was committed, true time. */
  readonly at?: number;
}

export class RecordingStore {
  readonly #clock: Clock;
  readonly #listener: StoreListener;
  #state: State = {};
  /** Older states, for a roll back, and the number of the commit that made the first of them. */
  #older: State[] = [];
  #commit = 0;
  #continuity: StreamStart['continuity'] = 'proven';
  /** Commits take so long, until this true time. */
  #slow = { ms: 0, until: 0 };
  /** Grows with each start: what an earlier process had under way is lost. */
  #life = 0;

  constructor(clock: Clock, listener: StoreListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** For one process: what it writes after its death is not written. */
  forLife(): WindowStore {
    const life = this.#life;
    return {
      openStream: (_batchId: string, _index: IndexKind) => this.#start(),
      commitWindows: async (changes) => {
        const { ms, until } = this.#slow;
        const now = { up: this.#clock.monotonic(), wall: this.#clock.now() };
        if (this.#clock.monotonic() < until) await sleep(this.#clock, ms);
        if (life !== this.#life) return new Promise(() => {});
        return changes.flatMap((change) => this.#apply(change, now));
      },
    };
  }

  /** Each commit within the next `forMs` takes `ms`. */
  stall(ms: number, forMs: number): void {
    this.#slow = { ms, until: this.#clock.monotonic() + forMs };
  }

  /** The process is gone. What its journal holds becomes windows at the next start, which `restart` is. */
  restart(batchId: string, index: IndexKind): void {
    this.#life += 1;
    this.#slow = { ms: 0, until: 0 };
    this.#continuity = 'proven';
    const { journal } = this.#state;
    if (!journal) return;
    const { start, end, readings } = journal;
    const inside = readings.filter((reading) => reading.index >= start && reading.index < end);
    const outside = readings.filter((reading) => reading.index < start || reading.index >= end);
    if (end > start) this.#close(batchId, index, { start, end }, inside, false);
    for (const reading of outside) {
      this.#close(batchId, index, { start: reading.index, end: reading.index + 1 }, [reading], true);
    }
    const { floor: before } = this.#state;
    const floor = end > start ? Math.max(before ?? end, end) : before;
    const seen = Math.max(this.#state.seen ?? start, ...outside.map((reading) => reading.index + 1));
    this.#setState({
      ...(floor === undefined ? {} : { floor }),
      ...(seen > (floor ?? seen - 1) ? { seen } : {}),
      ...committedOf(this.#state),
      ...numberOf(this.#state),
    });
  }

  /**
   * Called before `restart`: the disk is as it was some commits ago. Returns which was the last that it has, and when that
   * was made, in true time.
   */
  rollBack(commits: number): { readonly commit: number; readonly at: number } {
    const older = this.#older.at(-commits);
    if (!older) return { commit: this.#commit, at: this.#clock.monotonic() };
    this.#state = older;
    this.#older = this.#older.slice(0, -commits);
    this.#commit -= commits;
    return { commit: this.#commit, at: older.at ?? Number.NEGATIVE_INFINITY };
  }

  /** As it was so many commits ago, the disk knows of claims. */
  hadClaimed(commits: number): boolean {
    return (this.#older.at(-commits) ?? this.#state).floor !== undefined;
  }

  /** After `restart`: whether what was claimed before is known. */
  loseContinuity(): void {
    this.#continuity = 'lost';
  }

  #start(): StreamStart {
    const { floor, seen, number, committed } = this.#state;
    const ageMs = committed === undefined ? -1 : Math.floor(this.#clock.monotonic() - committed.up);
    const setByMs = committed === undefined ? 0 : this.#clock.now() - committed.wall - ageMs;
    return {
      continuity: this.#continuity,
      ...(ageMs < 0 ? {} : { ageMs, isAgeSure: true, setByMs }),
      ...(floor === undefined ? {} : { floor }),
      ...(seen === undefined ? {} : { seen }),
      ...(number === undefined ? {} : { number }),
    };
  }

  #apply(
    change: StreamChange,
    now: { readonly up: number; readonly wall: number },
  ): readonly EncodedWindow[] {
    const { batchId, closed, restart, append } = change;
    for (const each of closed) this.#listener.onStored(each, this.#commit + 1, now.up);
    const before = restart ? undefined : this.#state.journal;
    const journal = append
      ? {
          start: append.start,
          end: append.end,
          readings: [...(before?.readings ?? []), ...append.readings],
        }
      : before;
    const floor = change.floor ?? this.#state.floor;
    const isMore = reachOf(floor, append?.end) > reachOf(this.#state.floor, this.#state.journal?.end);
    this.#setState({
      ...(floor === undefined ? {} : { floor }),
      ...(isMore ? { committed: now } : committedOf(this.#state)),
      ...(change.seen === undefined ? {} : { seen: change.seen }),
      ...numberOf({
        number: change.number === undefined ? this.#state.number : (change.number ?? undefined),
      }),
      ...(journal ? { journal } : {}),
    });
    return closed.map(({ plainBytes }) => ({ batchId, plainBytes, encodedBytes: Math.ceil(plainBytes / 4) }));
  }

  #close(
    batchId: string,
    index: IndexKind,
    window: Window,
    readings: readonly Reading[],
    late: boolean,
  ): void {
    const sorted = readings.toSorted((a, b) => a.index - b.index);
    const batch = { batchId, index, window, readings: sorted };
    // Of what was stated while the last commit was under way the disk knows nothing.
    const by = this.#state.committed?.up ?? this.#clock.monotonic();
    this.#listener.onStored({ batch, late, to: 'lane', plainBytes: 0 }, this.#commit + 1, by);
  }

  #setState(state: State): void {
    this.#commit += 1;
    this.#older.push(this.#state);
    if (this.#older.length > 200) this.#older = this.#older.slice(-100);
    this.#state = { ...state, at: this.#clock.monotonic() };
  }
}

function reachOf(floor = Number.NEGATIVE_INFINITY, journalled = Number.NEGATIVE_INFINITY): number {
  return Math.max(floor, journalled);
}

function committedOf({ committed }: State): Pick<State, 'committed'> {
  return committed === undefined ? {} : { committed };
}

function numberOf({ number }: { number?: number | undefined }): { number?: number } {
  return number === undefined ? {} : { number };
}
