// Times of the latest records that were received live. The memory must hold those, too: where it lacks one that it should
// still hold, it was cleared, or its clock was set unnoticed, and it does not show all records.

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
