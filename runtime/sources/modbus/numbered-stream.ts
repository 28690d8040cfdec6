// Samples in the order of their own numbers, whatever the equipment's clock says. A break is a jump in the numbers, and
// nothing else: a failed poll lost nothing if the numbers continue. Across sessions and restarts the stream continues
// without a hole if the next sample has the next number.
import type { Clock } from '../../../kernel/clock.ts';
import type { RecordCounter } from '../codec/record-counter.ts';
import type { RoundWatch } from '../codec/round-watch.ts';
import { Continuation } from '../continuation.ts';
import { Observation } from '../observation.ts';
import type { SourceSink } from '../source.ts';
import type { Poll } from './poller.ts';
import { Confirmer, Incomplete, type SampleStream } from './sample-stream.ts';

/** State that outlives a session. */
export interface NumberedMemory {
  readonly counter: RecordCounter;
  /** Position of the last sample that the stream took. */
  taken: number | undefined;
  readonly rounds: RoundWatch;
}

export interface NumberedStreamOptions {
  readonly sink: SourceSink;
  readonly memory: NumberedMemory;
  readonly clock: Clock;
  /** The equipment keeps its samples: a null in place of a value would hide that it is to be had. */
  readonly hasHistory: boolean;
  readonly count: (name: string) => void;
}

export class NumberedStream implements SampleStream {
  readonly #options: NumberedStreamOptions;
  readonly #observation: Observation;
  readonly #confirmer: Confirmer;
  readonly #incomplete = new Incomplete<number>((a, b) => a === b);

  constructor(options: NumberedStreamOptions) {
    this.#options = options;
    this.#observation = new Observation(options.sink);
    this.#confirmer = new Confirmer(this.#observation, options.clock);
    options.memory.counter.forgetHeld();
  }

  take(poll: Poll): void {
    const { memory, hasHistory, count } = this.#options;
    const { counter, rounds } = memory;
    const { number } = poll.numbered!;
    const before = counter.position;
    if (rounds.mayHaveComeRound) {
      // Whatever number it shows: one that follows the last may be of a later round.
      this.#observation.lose('records-missed');
      memory.taken = undefined;
    }
    rounds.looked(before === undefined ? 0 : counter.positionFrom(before, number) - before);
    const isWhole = poll.isCertain || !hasHistory;
    // A sample that went before it was whole shows as a jump.
    if (isWhole) this.#incomplete.isOver(number);
    else if (counter.position === undefined || counter.numberAt(counter.position) !== number) {
      if (!this.#incomplete.note(number)) return;
    }
    const step = counter.place(number);
    if (step.kind === 'held') {
      count('holdfast_modbus_doubted_numbers_total');
      this.#confirmer.confirm();
    } else if (step.kind === 'unchanged') this.#unchanged(counter.position!);
    else {
      if (step.broken) this.#observation.lose(step.broken);
      this.#report(step.position, poll, isWhole);
    }
  }

  /** The numbers tell what was missed. */
  gap(): void {}

  #unchanged(position: number): void {
    if (this.#observation.isBroken) {
      const { taken, counter } = this.#options.memory;
      const { mark } = counter;
      const continues = Continuation.sameNumber(taken, position);
      if (continues === undefined || this.#observation.begin(position + 1, continues, mark) === undefined)
        this.#observation.begin(position + 1, undefined, mark);
      this.#confirmer.stated();
    }
    this.#confirmer.confirm();
  }

  #report(position: number, poll: Poll, isWhole: boolean): void {
    const { memory, clock } = this.#options;
    const readings = poll.readings(position);
    this.#confirmer.stated();
    if (!isWhole) {
      this.#observation.late(readings);
      this.#observation.lose('sample-incomplete', { at: position });
      return;
    }
    const continues = Continuation.nextNumber(memory.taken, position);
    this.#observation.report(position, readings, {
      now: clock.monotonic(),
      continues,
      mark: memory.counter.mark,
    });
    if (!this.#observation.isBroken) memory.taken = position;
  }
}
