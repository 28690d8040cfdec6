// The current value of each tag, as of the position up to which values were handed on, and the tags whose current value still
// has to be reported. Where observation begins, each tag's value is reported there: its last change may lie before it.
import type { Quality, Reading } from '../../../wire/reading.ts';
import type { Content } from './content.ts';
import { doubt } from './odd-time.ts';

interface Held extends Content {
  /** The value's own time; -Infinity where it has none. */
  readonly own: number;
  /** When the server had it, where it says so, and its time was not near to that. */
  readonly hadAt?: number | undefined;
  readonly isDoubted?: boolean;
  /** The value is also reported by itself, at the same position. */
  readonly isTold?: boolean;
  /** The tag has no value, for a reason that the server gave: this is said wherever observation begins. */
  readonly isRefused?: boolean;
}

export class HeldValues {
  readonly #held = new Map<string, Held>();
  readonly #unsaid = new Set<string>();

  /** Sets the current value of a tag that was reported, or need not be. */
  set(tag: string, held: Held): void {
    this.#held.set(tag, held);
    this.#unsaid.delete(tag);
  }

  /** Sets the current value of a tag that must be reported where observation begins. */
  owe(tag: string, held: Held): void {
    this.#held.set(tag, held);
    this.#unsaid.add(tag);
  }

  /** It must still be reported that the tag has no value. */
  owesRefusal(tag: string): boolean {
    return this.#unsaid.has(tag) && this.#held.get(tag)?.isRefused === true;
  }

  /** Earlier reports may not have arrived: current values must be reported again. */
  oweAll(which: 'all' | 'refused'): void {
    for (const [tag, { isRefused }] of this.#held) if (which === 'all' || isRefused) this.#unsaid.add(tag);
  }

  /** Marks a reported current value as doubtful: another value turned out to be older than its position. */
  doubt(tag: string): void {
    const held = this.#held.get(tag);
    if (!held || held.isTold || !this.#unsaid.has(tag)) return;
    this.#held.set(tag, { ...held, quality: doubt(held.quality, 'late'), isDoubted: true });
  }

  /** Forgets the current values of all tags. */
  forget(): void {
    for (const [tag, { isRefused }] of this.#held) if (!isRefused) this.#held.delete(tag);
    for (const tag of this.#unsaid) if (!this.#held.has(tag)) this.#unsaid.delete(tag);
  }

  /** Takes the current values that must be reported, at `index`, except for tags with a value of that time. */
  takeAt(index: number, but: ReadonlySet<string>): Reading[] {
    const readings: Reading[] = [];
    for (const tag of this.#unsaid) {
      const held = this.#held.get(tag)!;
      if (but.has(tag) && !held.isDoubted) continue;
      readings.push({ index, tag, value: held.value, quality: qualityAt(index, held) });
    }
    this.#unsaid.clear();
    return readings;
  }
}

/** By a clock that was put back it came later; and where the equipment's clock is slow, the server had it later. */
function qualityAt(index: number, { quality, own, hadAt }: Held): Quality {
  if (own > index) return doubt(quality, 'ahead');
  return hadAt !== undefined && hadAt > index ? doubt(quality, 'late') : quality;
}
