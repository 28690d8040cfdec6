// The port between equipment and windows. A source turns one piece of equipment into one stream:
// readings in index order, and statements about how far observation reaches. The statements matter as
// much as the readings: a window may be claimed only over what was observed.
import type { Reading } from '../../wire/reading.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { Continuation } from './continuation.ts';
import type { HistoryPage } from './history-page.ts';
import type { Probe } from './probe.ts';
import type { TagWrite } from './tag-write.ts';

export type SourceEvent =
  /**
   * Observation begins (again): every reading with `index >= at` will be reported. Nothing is claimed before this was
   * said, and without `continues` a hole is left to what was claimed before, whatever `at` says. With `continues` it is
   * refused where something was lost that the proof knows nothing of, on the disk or on the way to it. `mark`: as
   * `number` below, durable with where observation begins, also where nothing that comes is taken; of a stream that the
   * equipment's numbers order, what its positions from here on rest on.
   */
  | {
      readonly kind: 'resumed';
      readonly at: number;
      readonly continues?: Continuation | undefined;
      readonly mark?: number | undefined;
    }
  /**
   * In index order; may share an index with each other, and may repeat no earlier reading. `isLate`: they belong to
   * nothing that is observed, or perhaps came before: they go up as late ones, at any time and in any order, and say
   * nothing of observation.
   */
  | { readonly kind: 'readings'; readonly readings: readonly Reading[]; readonly isLate?: true }
  /**
   * Every reading with `index < until` has been reported. Never goes back while unbroken. `number`: what the equipment
   * or sender numbers its last sample with; it is durable with the readings, and known again after a restart.
   */
  | { readonly kind: 'observed'; readonly until: number; readonly number?: number | undefined }
  /** Readings with `index < at` are all reported; from `at` on, some may be missing. */
  | { readonly kind: 'broken'; readonly at: number; readonly reason: string };

export interface SourceSink {
  /**
   * Takes one event. Synchronous and bounded; never throws for what the equipment said.
   * False where observation is broken: there was no room for the event, it breaks the rules above, or it says that
   * more time has passed than can have. Nothing of it is claimed; its readings may still go up, as late ones. The
   * source says `resumed` before it states more, with all its values: one that was dropped may have changed.
   */
  emit(event: SourceEvent): boolean;
  /** Resolves once everything emitted so far is durable (synced to disk). Brings the next commit forward. */
  durable(): Promise<void>;
  /**
   * False while readings would be dropped, and leave a hole: the disk has refused for long, or the stream is held
   * back. For sources that can have their data kept elsewhere meanwhile. Absent: it always has room.
   */
  hasRoom?(): boolean;
  /**
   * Grows with each hole that is left although observation goes on, as where the wall clock was set ahead. What was told
   * before lies on its other side: a source that reports by exception then tells all its values again. Absent: there is none.
   */
  begunAnew?(): number;
}

export interface SourceHistory {
  /**
   * Re-reads `range` from the equipment. The pages' windows touch each other, in order, starting at
   * `range.start`. If they end before `range.end`, the rest cannot be answered yet (the equipment has not
   * recorded it so far, or what it says does not prove it): ask again later. Takes turns with live polling where they share a connection.
   * @throws HoldfastError retryable while the equipment is unreachable; pages already given stay true.
   */
  read(range: Window, signal: AbortSignal): AsyncIterable<HistoryPage>;
  /** What it waits for where its pages end early, for people. */
  readonly waitsFor?: string;
}

export interface Source {
  /** What orders this source's stream. */
  readonly index: IndexKind;
  /**
   * True where index positions are this gateway's own time: they are then ms since the machine started, as the
   * stamp clock tells it, and get their place on the wall clock's scale on their way into windows.
   */
  readonly stampedByGateway?: boolean;
  /**
   * Readings come in any order. Those at or beyond what was observed wait in the open window until `observed` passes
   * them; those below go up as late ones. Absent: in order, as `SourceEvent` says.
   */
  readonly isUnordered?: boolean;
  /**
   * Messages wait in a queue before they reach this source, and may come faster than time passes: up to the present, and
   * by `silenceMs` from one to the next where the sender's clock is ahead.
   */
  readonly queued?: { readonly silenceMs: number };
  /**
   * Longest time without any event before the supervisor takes the source for hung and restarts it, in ms.
   */
  readonly silenceLimitMs: number;
  /** First and longest wait between sessions. Absent: 1 s and 30 s, which spares equipment that is in trouble. */
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  /**
   * One session with the equipment: connects, emits until the session is lost or `signal` aborts.
   * Resolves after an abort, promptly, having released the connection; rejects with a HoldfastError
   * when the session is lost. The supervisor calls it again after a backoff, never twice at once. After
   * it has settled, observation counts as broken where it was last stated to reach.
   */
  run(sink: SourceSink, signal: AbortSignal): Promise<void>;
  /**
   * What was wrong of late with what the equipment says, for people, one line: bytes that were dropped, a limit that it
   * turned out to have. Undefined where there is nothing to complain of.
   */
  complaint?(): string | undefined;
  /**
   * What came in this session since the last reading, for people, and why it made none; undefined where nothing came. Asked
   * where no event came for `silenceLimitMs`.
   */
  heard?(): string | undefined;
  /** Absent where the equipment remembers nothing. */
  readonly history?: SourceHistory;
  /**
   * Writes one tag, in a turn of its own between polls. Resolves only once the equipment has confirmed it, by an answer that
   * belongs to this request. An abort ends a write that still waits for its turn.
   * @throws HoldfastError naming the tag and what the equipment answered; retryable where it may work later.
   */
  write?(write: TagWrite, signal: AbortSignal): Promise<void>;
  /**
   * Connects by itself, reads each tag once, yields each as soon as it is known, and lets go of the equipment, also
   * when the caller stops listening. Never called while `run` runs. A tag that the equipment refuses, or whose answer
   * makes no sense, is yielded with its `problem`; so is each that is still open when a pushing source has sent
   * nothing for it within its own patience (at most 60 s). One pass, no retries.
   * @throws HoldfastError when the equipment as a whole cannot be reached or ends the connection: what was yielded
   * stays true. The signal's reason, promptly, when that aborts.
   */
  readonly probe?: Probe;
}
