// Selects the readings of a poll that are reported: for a tag with a deadband, only those that changed enough. Observation
// is stated for every poll all the same, so silence means "no change", not "not read".
import type { Reading } from '../../wire/reading.ts';

export interface FilteredTag {
  readonly name: string;
  /** Report a value only when it differs by more than this from the last one reported. Absent: each is reported. */
  readonly deadband?: number | undefined;
  /** Longest time without a report of a tag with a deadband. Default 60 s. */
  readonly heartbeatMs?: number | undefined;
}

interface Rule {
  readonly deadband: number;
  readonly heartbeatMs: number;
  last?: { readonly reading: Reading; readonly at: number };
}

const defaultHeartbeatMs = 60_000;

export class ReportFilter {
  readonly #rules: ReadonlyMap<string, Rule>;

  constructor(tags: readonly FilteredTag[]) {
    this.#rules = new Map(
      tags.flatMap(({ name, deadband, heartbeatMs = defaultHeartbeatMs }) =>
        deadband === undefined ? [] : [[name, { deadband, heartbeatMs }]],
      ),
    );
  }

  /** `now` is monotonic time in ms. */
  pass(readings: readonly Reading[], now: number): readonly Reading[] {
    if (this.#rules.size === 0) return readings;
    return readings.filter((reading) => {
      const rule = this.#rules.get(reading.tag);
      if (!rule) return true;
      if (
        rule.last &&
        now - rule.last.at < rule.heartbeatMs &&
        !isNews(rule.last.reading, reading, rule.deadband)
      )
        return false;
      rule.last = { reading, at: now };
      return true;
    });
  }

  /** Observation was broken: what was last reported may be long past, so everything is news. */
  reset(): void {
    for (const rule of this.#rules.values()) delete rule.last;
  }
}

function isNews(last: Reading, next: Reading, deadband: number): boolean {
  if (last.quality !== next.quality) return true;
  if (typeof last.value === 'number' && typeof next.value === 'number')
    return Math.abs(next.value - last.value) > deadband;
  return last.value !== next.value;
}
