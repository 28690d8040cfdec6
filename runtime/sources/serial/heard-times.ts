// Times of records that were heard live, the latest of them. The memory has to hold those, too: where it lacks one that it
// should still hold, it was cleared, or its clock was set unheard, and what it shows is not all that there was.

const maxTimes = 4096;

export class HeardTimes {
  #times: number[] = [];

  add(time: number): void {
    this.#times.push(time);
    if (this.#times.length > 2 * maxTimes) this.#times = this.#times.slice(-maxTimes);
  }

  within(start: number, end: number): readonly number[] {
    return this.#times.filter((time) => time >= start && time < end);
  }
}
