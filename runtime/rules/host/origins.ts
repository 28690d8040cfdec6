// How far each source of a rule is known, and which part of the range ahead is not. Pure.
import type { Span } from './input-tracker.ts';

export interface Origin {
  readonly input: string;
  readonly streamId: string;
  /** Everything below is known, or known to be unknown. */
  until: number | undefined;
  /** Monotonic ms at which it moved last. */
  movedAt: number;
  /** Ahead of the watermark, in order, at most `maxHoles`. */
  holes: { readonly start: number; readonly end: number }[];
}

/** A stretch over which the same inputs are known. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  /** Inputs of which something is not known. */
  readonly lacking: readonly string[];
  /** Nothing of it is known. */
  readonly isBlind: boolean;
}

/** More holes than this ahead of the watermark are joined. */
const maxHoles = 64;

export class Origins {
  readonly all: readonly Origin[];

  constructor(inputs: ReadonlyMap<string, readonly string[]>, now: number) {
    this.all = [...inputs].flatMap(([input, ids]) =>
      ids.map((streamId): Origin => ({ input, streamId, until: undefined, movedAt: now, holes: [] })),
    );
  }

  of(streamId: string): readonly Origin[] {
    return this.all.filter((origin) => origin.streamId === streamId);
  }

  take(origin: Origin, { start, end, follows }: Span, now: number): void {
    const from = origin.until;
    if (follows !== 'touching' && from !== undefined && start > from) {
      const last = origin.holes.length >= maxHoles ? origin.holes.pop() : undefined;
      origin.holes.push({ start: last?.start ?? from, end: start });
    }
    // Where it was not followed so far, it begins with its first stretch.
    if (from === undefined) origin.holes = [{ start: Number.MIN_SAFE_INTEGER, end: start }];
    origin.until = Math.max(end, from ?? end);
    origin.movedAt = now;
  }

  /** How far all that is waited for is known. `waitMs`: so long one that does not go on holds up the others. */
  watermark(now: number, waitMs: number): number | undefined {
    const most = Math.max(...this.all.map(({ until = Number.NEGATIVE_INFINITY }) => until));
    if (!Number.isFinite(most)) return undefined;
    const awaited = this.all.filter(
      ({ until = Number.NEGATIVE_INFINITY, movedAt }) => until === most || now - movedAt < waitMs,
    );
    const least = Math.min(...awaited.map(({ until = Number.NEGATIVE_INFINITY }) => until));
    return Number.isFinite(least) ? least : undefined;
  }

  /** When the watermark may move although nothing comes, monotonic ms: one that stands still is waited for no longer. */
  nextGiveUp(now: number, waitMs: number): number | undefined {
    const most = Math.max(...this.all.map(({ until = Number.NEGATIVE_INFINITY }) => until));
    const due = this.all
      .filter(({ until = Number.NEGATIVE_INFINITY }) => until < most)
      .map(({ movedAt }) => movedAt + waitMs)
      .filter((at) => at > now);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** `[from, to)` in stretches, each with what it lacks; holes that end there are forgotten. */
  stretches(from: number, to: number): readonly Stretch[] {
    const edges = new Set([from, to]);
    for (const { holes, until } of this.all) {
      for (const edge of [until, ...holes.flatMap(({ start, end }) => [start, end])])
        if (edge !== undefined && edge > from && edge < to) edges.add(edge);
    }
    const sorted = [...edges].sort((a, b) => a - b);
    const stretches = sorted.slice(1).map((end, at) => this.#stretch(sorted[at]!, end));
    for (const origin of this.all) origin.holes = origin.holes.filter((hole) => hole.end > to);
    return stretches;
  }

  #stretch(start: number, end: number): Stretch {
    const blind = this.all.filter(
      ({ until = Number.NEGATIVE_INFINITY, holes }) =>
        until < end || holes.some((hole) => hole.start < end && hole.end > start),
    );
    const lacking = [...new Set(blind.map(({ input }) => input))].sort();
    return { start, end, lacking, isBlind: blind.length === this.all.length };
  }
}
