// What keeps readings in these benches, behind one face: Holdfast, the file it is compared with, or nothing.
import type { Reading } from '../../../wire/reading.ts';

export interface Recorder {
  /** One poll of one stream; everything before `until` has been said. */
  keep(stream: number, readings: readonly Reading[], until: number): void;
  /** Resolves when no commit is under way. */
  settled(): Promise<unknown>;
  /** Synced writes so far. */
  commits(): number;
  /** Further counts, for the tables. */
  counts(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

export const nothing: Recorder = {
  keep() {},
  settled: async () => {},
  commits: () => 0,
  counts: () => ({}),
  stop: async () => {},
};
