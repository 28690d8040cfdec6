// From records to statements about the stream: where each has its place, and what may be missing around it.
//
// Three orders. By the instrument's record number: a jump is a break, and nothing else is; a message that was garbled,
// or a poll that failed, has lost nothing if the numbers go on. By the instrument's time: the same where records
// are numbered as well; otherwise whatever was damaged or missed is a break, for nobody can tell. By arrival, on our
// clock: as the last, and observation reaches as far as the line was listened to.
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import { Continuation } from '../continuation.ts';
import { Observation } from '../observation.ts';
import { PolledIndex } from '../polled-index.ts';
import { ReportFilter } from '../report-filter.ts';
import type { SourceSink } from '../source.ts';
import type { SerialTagConfig } from './config.ts';
import type { RecordCounter, Step } from './record-counter.ts';
import { type DecodedRecord, toReadings } from './record-layout.ts';
import type { Order } from './stream-order.ts';
import { TimeGuard } from './time-guard.ts';

/** What outlives a session. */
export interface StreamState {
  /** Where records are numbered. */
  readonly counter: RecordCounter | undefined;
  /** The newest time that the instrument has shown, epoch ms. */
  newestTime: number | undefined;
}

export interface ReporterOptions {
  readonly order: Order;
  readonly state: StreamState;
  readonly tags: readonly SerialTagConfig[];
  readonly sink: SourceSink;
  readonly clock: Clock;
  readonly stampClock: Clock;
  readonly log: Log;
  readonly count: (name: string, by?: number) => void;
}

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #observation: Observation;
  readonly #arrivals: PolledIndex;
  readonly #times: TimeGuard;
  #held: DecodedRecord | undefined;
  #heldInTime: DecodedRecord | undefined;
  #lastTime: number | undefined;
  #lastRecord: DecodedRecord | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#observation = new Observation(options.sink, { filter: new ReportFilter(options.tags) });
    this.#arrivals = new PolledIndex(options.stampClock);
    this.#times = new TimeGuard(options.state.newestTime);
    options.state.counter?.forgetHeld();
  }

  take(record: DecodedRecord): void {
    const { counter } = this.#options.state;
    const before = counter?.position;
    const step = counter?.place(record.number!);
    if (!step) this.#place(record, undefined);
    else if (step.kind === 'placed') this.#takePlaced(record, step, before);
    else {
      this.#drop();
      if (step.kind === 'held') this.#held = record;
      else this.#observation.confirm();
    }
  }

  #takePlaced(
    record: DecodedRecord,
    step: Extract<Step, { kind: 'placed' }>,
    before: number | undefined,
  ): void {
    const { position, broken, confirmed } = step;
    const held = this.#held;
    this.#held = undefined;
    if (step.dropped) this.#options.count('holdfast_serial_unbelievable_numbers_total');
    if (broken === 'counter-reset') {
      this.#options.count('holdfast_serial_counter_resets_total');
      const at = { number: held?.number ?? record.number, position: confirmed ?? position };
      this.#options.log.warn(
        at,
        'the record counter of the instrument started anew: a cleared memory, or a new battery',
      );
    }
    if (broken) this.#observation.lose(broken);
    if (step.reset && this.#options.order === 'number') this.#passOver(step.reset);
    if (held && confirmed !== undefined) {
      this.#place(held, confirmed);
      if (step.isApart) this.#observation.lose('records-missed');
    }
    this.#place(record, position, Continuation.nextNumber(before, position));
  }

  /**
   * The rest of a round that a reset cut short. It never had records, and there may be thousands of millions of
   * positions: as a hole, they would be asked for, and declared lost, one request after the other.
   */
  #passOver({ lost, begin }: { readonly lost: number; readonly begin: number }): void {
    if (lost >= begin) return;
    this.#observation.reach(lost);
    this.#observation.reach(begin);
    this.#observation.lose('counter-reset');
  }

  /** Something came that may have been a record, or a part of the line was not listened to. */
  damaged(reason: string): void {
    if (this.#options.state.counter === undefined) this.#break(reason);
  }

  /** The line is open, and nothing came. `isAmid`: a message has begun. */
  quiet(isAmid: boolean): void {
    if (this.#options.order !== 'arrival') {
      this.#observation.confirm();
    } else if (!isAmid) {
      this.#observation.reach(this.#options.stampClock.now());
    }
  }

  /** The instrument answered with what is known already. */
  confirm(): void {
    this.#observation.confirm();
  }

  #drop(): void {
    if (this.#held) this.#options.count('holdfast_serial_unbelievable_numbers_total');
    this.#held = undefined;
  }

  #place(record: DecodedRecord, position: number | undefined, continues?: Continuation): void {
    const { order } = this.#options;
    if (order === 'number') this.#report(position!, record, continues);
    else if (order === 'time') this.#guardTime(record, record.timestamp!);
    else this.#placeByArrival(record);
  }

  #guardTime(record: DecodedRecord, timestamp: number): void {
    const held = this.#heldInTime;
    const { kind } = this.#times.take(timestamp);
    this.#heldInTime = kind === 'held' ? record : undefined;
    if (held && kind !== 'confirmed') {
      this.#options.count('holdfast_serial_unbelievable_times_total');
      // It was a record, at a time that nobody knows.
      this.#break('unbelievable-time');
    }
    if (kind === 'held') return;
    if (held && kind === 'confirmed') this.#placeByTime(held, held.timestamp!);
    this.#placeByTime(record, timestamp);
  }

  #placeByTime(record: DecodedRecord, timestamp: number): void {
    const last = this.#lastTime;
    if (timestamp === last) {
      // The same one, said again; or another, which has no place of its own in the stream.
      if (record.number === undefined && isSame(record, this.#lastRecord)) this.#observation.confirm();
      else {
        this.#options.count('holdfast_serial_repeated_stamps_total');
        this.#break('repeated-stamp');
      }
      return;
    }
    if (last !== undefined && timestamp < last) this.#break('equipment-clock-went-back');
    this.#lastTime = timestamp;
    this.#lastRecord = record;
    const { state } = this.#options;
    state.newestTime = Math.max(state.newestTime ?? timestamp, timestamp);
    this.#report(timestamp, record);
  }

  #placeByArrival(record: DecodedRecord): void {
    const { index, stepped } = this.#arrivals.next();
    if (stepped) this.#break(stepped);
    this.#report(index, record);
  }

  #report(index: number, record: DecodedRecord, continues?: Continuation): void {
    const now = this.#options.clock.monotonic();
    this.#observation.report(index, toReadings(record, index), { now, continues });
  }

  #break(reason: string): void {
    this.#observation.lose(reason);
  }
}

function isSame(a: DecodedRecord, b: DecodedRecord | undefined): boolean {
  return (
    a.values.length === b?.values.length &&
    a.values.every(({ tag, value, quality }, at) => {
      const other = b.values[at]!;
      return other.tag === tag && other.value === value && other.quality === quality;
    })
  );
}
