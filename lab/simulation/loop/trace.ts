// What happened in a run, line by line: a hash of all of it, which tells whether two runs were the same, and the last lines for
// people.
import { createHash } from 'node:crypto';
import type { WorldTime } from './world-time.ts';

export class Trace {
  readonly #time: WorldTime;
  readonly #hash = createHash('sha256');
  readonly #lines: string[] = [];
  readonly #kept: number;

  constructor(time: WorldTime, kept: number) {
    this.#time = time;
    this.#kept = kept;
  }

  note(who: string, what: string): void {
    const line = `${(this.#time.elapsed / 1000).toFixed(3).padStart(10)}  ${who.padEnd(12)} ${what}`;
    this.#hash.update(`${line}\n`);
    if (this.#kept === 0) return;
    this.#lines.push(line);
    if (this.#lines.length > 2 * this.#kept) this.#lines.splice(0, this.#kept);
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-this.#kept);
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
