// The last value of each tag, for the status. One entry a tag, so its size is that of the configuration.
import type { Reading } from '../../wire/reading.ts';

export interface LastValues {
  /** In the order in which they came. */
  take(readings: readonly Reading[]): void;
  /** By tag, as it was first heard of. */
  list(): readonly Reading[];
}

/** Tags of a source that has more are not shown. */
const maxTags = 10_000;

export function createLastValues(): LastValues {
  const byTag = new Map<string, Reading>();
  return {
    take(readings) {
      for (const reading of readings) {
        if (byTag.size < maxTags || byTag.has(reading.tag)) byTag.set(reading.tag, reading);
      }
    },
    list: () => [...byTag.values()],
  };
}
