// The machine that the sensor module measures: it heats up with each sample, and is cooled by a message `{command: 'reset'}`.
// Keeps the temperature of every sample, and every reset with its id: what the decisions of a rule are judged by.

/** What came to the input of the sensor. */
export interface Reset {
  /** Message id; of a repetition the same. */
  readonly id: string;
  /** Wall clock, epoch ms. */
  readonly at: number;
  /** Number of the last sample before. */
  readonly after: number;
}

const coolest = 21;
const degreesASample = 3;
const maxResets = 100_000;

export class Heat {
  /** By number of the sample, from 1. */
  readonly #temperatures: number[] = [];
  readonly #resets: Reset[] = [];
  #next = coolest;
  #ignored = 0;

  /** The temperature of the next sample. */
  measure(): number {
    const temperature = this.#next;
    this.#temperatures.push(temperature);
    this.#next += degreesASample;
    return temperature;
  }

  of(number: number): number {
    return this.#temperatures[number - 1]!;
  }

  /** A message from outside. What is no reset is counted, and does nothing. */
  hear(id: string, body: string, at: number): void {
    if (commandIn(body) !== 'reset') {
      this.#ignored += 1;
      return;
    }
    this.#next = coolest;
    if (this.#resets.length < maxResets) this.#resets.push({ id, at, after: this.#temperatures.length });
  }

  state(): { readonly resets: readonly Reset[]; readonly ignored: number } {
    return { resets: this.#resets, ignored: this.#ignored };
  }
}

function commandIn(body: string): unknown {
  try {
    return (JSON.parse(body) as { command?: unknown } | null)?.command;
  } catch {
    return undefined;
  }
}
