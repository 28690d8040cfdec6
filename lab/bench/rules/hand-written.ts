// What somebody would write who needs this one rule and no other: the average of ten seconds above a bound, with the time of the last
// reading. It waits for the watermark as the rules do.
import type { RuleInputRow } from '../../../runtime/rules/engine-api.ts';

interface Decision {
  readonly time: number;
  readonly command: 'reset';
  readonly maxEventTime: string;
}

export class HandWritten {
  readonly #windowMs: number;
  readonly #bound: number;
  #waiting: { readonly index: number; readonly row: RuleInputRow }[] = [];
  #end = 0;
  #sum = 0;
  #count = 0;
  #last = 0;

  constructor(windowMs: number, bound: number) {
    this.#windowMs = windowMs;
    this.#bound = bound;
  }

  push(index: number, row: RuleInputRow): void {
    this.#waiting.push({ index, row });
  }

  advance(until: number): readonly Decision[] {
    const decided: Decision[] = [];
    const later = [];
    for (const one of this.#waiting) {
      if (one.index >= until) {
        later.push(one);
        continue;
      }
      if (one.index > this.#end) this.#close(one.index, decided);
      const machine = one.row.machine as { readonly temperature?: unknown } | undefined;
      const temperature = machine?.temperature;
      if (typeof temperature === 'number') {
        this.#sum += temperature;
        this.#count++;
      }
      if (one.index > this.#last) this.#last = one.index;
    }
    this.#waiting = later;
    if (until > this.#end) this.#close(until, decided);
    return decided;
  }

  #close(time: number, decided: Decision[]): void {
    if (this.#count > 0 && this.#sum / this.#count > this.#bound)
      decided.push({ time: this.#end, command: 'reset', maxEventTime: new Date(this.#last).toISOString() });
    this.#sum = 0;
    this.#count = 0;
    this.#end = Math.ceil(time / this.#windowMs) * this.#windowMs;
  }
}
