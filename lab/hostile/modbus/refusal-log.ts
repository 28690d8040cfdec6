// Records when the unit refused which registers: a value that the module reports as refused must have been refused.
import type { RegisterRequest } from './registers.ts';

interface Refused {
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

export interface TagPlace {
  readonly address: number;
  readonly registers: number;
}

/** A refusal may be believed, and not asked again, for so long: `refusedRetryMs` of the plans, and the polls around. */
const believedMs = 12_000;
/** From when a sample was made to the end of the poll that reads it. */
const pollMs = 6000;

export class RefusalLog {
  readonly #places: ReadonlyMap<string, TagPlace>;
  readonly #now: () => number;
  #refused: Refused[] = [];

  constructor(places: ReadonlyMap<string, TagPlace>, now: () => number) {
    this.#places = places;
    this.#now = now;
  }

  note(request: RegisterRequest): void {
    if (request.kind !== 'registers') return;
    const { address, count } = request;
    this.#refused.push({ at: this.#now(), from: address, to: address + count });
  }

  /** The tag was refused around the time at which a sample was made. */
  excuses(tag: string, madeAt: number): boolean {
    const place = this.#places.get(tag);
    if (!place) return false;
    return this.#refused.some(
      ({ at, from, to }) =>
        at > madeAt - believedMs &&
        at < madeAt + pollMs &&
        from < place.address + place.registers &&
        place.address < to,
    );
  }
}
