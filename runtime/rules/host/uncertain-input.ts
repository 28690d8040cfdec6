// What a rule was given of which its equipment is not sure: a verdict that rests on it says so. Pure.
import type { Reading } from '../../../wire/reading.ts';
import { type MarkedStretch, MarkedTimes } from '../engine/marked-times.ts';
import type { CompiledRule, RuleRow } from '../engine-api.ts';
import { isFieldOf } from '../fields.ts';

export class UncertainInput {
  readonly #rule: Pick<CompiledRule, 'fields' | 'aheadMs' | 'timestampBy'>;
  readonly #times = new MarkedTimes();
  /** By input and tag. */
  readonly #isRead = new Map<string, boolean>();

  constructor(rule: Pick<CompiledRule, 'fields' | 'aheadMs' | 'timestampBy'>) {
    this.#rule = rule;
  }

  take(input: string, readings: readonly Reading[]): void {
    for (const { index, tag, quality } of readings)
      if (quality !== 'good' && quality.startsWith('uncertain') && this.#reads(input, tag))
        this.#times.add(index);
  }

  /** By a time of its own, a reading may come sooner and later than what it is of. */
  isUnder({ restsFrom, time }: Pick<RuleRow, 'restsFrom' | 'time'>): boolean {
    const { aheadMs, timestampBy } = this.#rule;
    const isByIndex = Object.values(timestampBy).every((by) => by === null);
    return this.#times.has(restsFrom - aheadMs, isByIndex ? time : Number.POSITIVE_INFINITY);
  }

  save(): readonly MarkedStretch[] {
    return this.#times.save();
  }

  load(saved: readonly MarkedStretch[] | undefined): void {
    this.#times.load(saved);
  }

  #reads(input: string, tag: string): boolean {
    const place = `${input} ${tag}`;
    let isRead = this.#isRead.get(place);
    if (isRead === undefined) {
      isRead = (this.#rule.fields[input] ?? []).some((field) => field === '*' || isFieldOf(tag, field));
      this.#isRead.set(place, isRead);
    }
    return isRead;
  }
}
