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
  // Copies, overwritten in place: a reading that is kept until the next one lives too long to be collected cheaply.
  const byTag = new Map<string, { -readonly [K in keyof Reading]: Reading[K] }>();
  return {
    take(readings) {
      for (const { index, tag, value, quality } of readings) {
        const known = byTag.get(tag);
        if (known !== undefined) {
          known.index = index;
          known.value = value;
          known.quality = quality;
        } else if (byTag.size < maxTags) byTag.set(tag, { index, tag, value, quality });
      }
    },
    list: () => [...byTag.values()].map((reading) => ({ ...reading })),
  };
}
