import type { Reading } from '../../../wire/reading.ts';
import type { SourceEvent, SourceSink } from '../source.ts';

/** A sink that keeps everything, and states what is wrong with it by the rules of the source port. */
export class RecordingSink implements SourceSink {
  readonly events: SourceEvent[] = [];
  readonly #isUnordered: boolean;
  #refuses = 0;

  /** `isUnordered`: the source's own. */
  constructor(isUnordered = false) {
    this.#isUnordered = isUnordered;
  }

  emit(event: SourceEvent): boolean {
    const costsRoom = event.kind === 'readings' || event.kind === 'observed';
    if (costsRoom && this.#refuses > 0) {
      this.#refuses -= 1;
      // As windows do it: observation is broken where it was last stated to reach.
      if (this.#reached !== undefined)
        this.events.push({ kind: 'broken', at: this.#reached, reason: 'refused' });
      return false;
    }
    this.events.push(event);
    return true;
  }

  /** So many statements that cost room are not taken from here on. */
  refuse(count: number): void {
    this.#refuses = count;
  }

  get #reached(): number | undefined {
    const last = this.events.findLast(({ kind }) => kind !== 'readings');
    if (last?.kind === 'resumed') return last.at;
    return last?.kind === 'observed' ? last.until : undefined;
  }

  durable(): Promise<void> {
    return Promise.resolve();
  }

  get readings(): readonly Reading[] {
    return this.events.flatMap((event) => (event.kind === 'readings' ? event.readings : []));
  }

  kinds(): readonly SourceEvent['kind'][] {
    return this.events.map(({ kind }) => kind);
  }

  of<K extends SourceEvent['kind']>(kind: K): readonly Extract<SourceEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<SourceEvent, { kind: K }> => event.kind === kind);
  }

  /** Every breach of the port's rules, in words. */
  breaches(): readonly string[] {
    return findBreaches(this.events, this.#isUnordered);
  }
}

/** The rules of `SourceEvent`: an event stream that keeps them gives an empty list. */
export function findBreaches(events: readonly SourceEvent[], isUnordered = false): readonly string[] {
  const found: string[] = [];
  let observed: number | undefined;
  let last = Number.NEGATIVE_INFINITY;
  for (const [at, event] of events.entries()) {
    const breach = (what: string) => found.push(`event ${at} (${event.kind}): ${what}`);
    switch (event.kind) {
      case 'resumed':
        if (observed !== undefined) breach('observation was not broken');
        observed = event.at;
        last = event.at;
        break;
      case 'observed':
        if (observed === undefined) breach('nothing is being observed');
        else if (event.until < observed) breach(`goes back from ${observed} to ${event.until}`);
        observed = event.until;
        break;
      case 'broken':
        if (observed === undefined) breach('observation was broken already');
        else if (event.at < observed) breach(`takes back what was observed, from ${observed} to ${event.at}`);
        observed = undefined;
        break;
      case 'readings':
        if (event.readings.length === 0) breach('has no readings');
        if (event.isLate) break;
        if (observed === undefined) breach('comes while nothing is being observed');
        // Where readings may be late, their order says nothing: what is too late goes up as such.
        for (const { index } of isUnordered ? [] : event.readings) {
          if (index < last) breach(`index ${index} comes after ${last}`);
          if (observed !== undefined && index < observed)
            breach(`index ${index} was already observed up to ${observed}`);
          last = index;
        }
        break;
    }
  }
  return found;
}
