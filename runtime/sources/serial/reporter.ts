// Turns records into statements about the stream: the position of each, and what may be missing around it.
//
// Three orders. By the instrument's record number: a jump is a break, and nothing else is; a message that was garbled,
// or a poll that failed, has lost nothing if the numbers go on. By the instrument's time (by-time.ts): the same where
// records are numbered as well; otherwise whatever was damaged or missed is a break, for nobody can tell. By arrival, on
// our clock: as the last, and observation reaches as far as the line was listened to.
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Placement, RecordCounter } from '../codec/record-counter.ts';
import type { RoundWatch } from '../codec/round-watch.ts';
import { Continuation } from '../continuation.ts';
import { Observation } from '../observation.ts';
import { PolledIndex } from '../polled-index.ts';
import { ReportFilter } from '../report-filter.ts';
import type { SourceSink } from '../source.ts';
import { ByTime, type TimeState } from './by-time.ts';
import type { SerialTagConfig } from './config.ts';
import { type DecodedRecord, toReadings } from './record-layout.ts';
import type { Order } from './stream-order.ts';

/** State that outlives a session. */
export interface StreamState extends TimeState {
  /** Undefined where records have no numbers. */
  readonly counter: RecordCounter | undefined;
  readonly rounds: RoundWatch | undefined;
}

export interface ReporterOptions {
  readonly order: Order;
  readonly state: StreamState;
  readonly tags: readonly SerialTagConfig[];
  /** What the instrument's times are rounded to. */
  readonly stepMs: number;
  /** A message has begun to come. */
  readonly isAmid: () => boolean;
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
  readonly #byTime: ByTime;
  #held: DecodedRecord | undefined;
  /** By arrival: no record may have come before, or be missing there. */
  #freeFrom = Number.NEGATIVE_INFINITY;
  /** Its counter may have come round before this session began. */
  #mayHaveComeRound: boolean;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#observation = new Observation(options.sink, { filter: new ReportFilter(options.tags) });
    this.#arrivals = new PolledIndex(options.stampClock);
    this.#byTime = new ByTime({ ...options, observation: this.#observation });
    options.state.counter?.forgetHeld();
    this.#mayHaveComeRound = options.state.rounds?.mayHaveComeRound ?? false;
  }

  /** The session is over. */
  stop(): void {
    this.#byTime.stop();
  }

  take(record: DecodedRecord): void {
    const { counter, rounds } = this.#options.state;
    // Whatever number it has then, it may be of a later round.
    const mayHaveComeRound = this.#mayHaveComeRound || rounds?.mayHaveComeRound === true;
    this.#mayHaveComeRound = false;
    if (mayHaveComeRound) this.#lose('records-missed');
    const last = counter?.position;
    const before = mayHaveComeRound ? undefined : last;
    if (counter) rounds?.looked(last === undefined ? 0 : counter.positionFrom(last, record.number!) - last);
    const step = counter?.place(record.number!);
    if (!step) this.#place(record, undefined);
    else if (step.kind === 'placed') this.#takePlaced(record, step, before);
    else {
      this.#drop();
      if (step.kind === 'held') this.#held = record;
      else this.confirm();
    }
  }

  #takePlaced(
    record: DecodedRecord,
    step: Extract<Placement, { kind: 'placed' }>,
    before: number | undefined,
  ): void {
    const { position, broken, confirmed } = step;
    const held = this.#held;
    this.#held = undefined;
    if (step.dropped) this.#options.count('holdfast_serial_unbelievable_numbers_total');
    if (broken === 'counter-reset') this.#onReset(held?.number ?? record.number, confirmed ?? position);
    if (broken) this.#lose(broken);
    if (held && confirmed !== undefined) {
      this.#place(held, confirmed);
      if (step.isApart) this.#lose('records-missed');
    }
    this.#place(record, position, Continuation.nextNumber(before, position));
  }

  #onReset(number: number | undefined, position: number): void {
    this.#options.count('holdfast_serial_counter_resets_total');
    this.#options.log.info(
      { number, position },
      'the record counter of the instrument started anew: a cleared memory, or a new battery',
    );
  }

  /** Something came that may have been a record, or a part of the line was not listened to. */
  damaged(reason: string): void {
    const { state, order, stampClock } = this.#options;
    this.#byTime.doubt();
    if (state.counter !== undefined) return;
    if (order !== 'arrival') this.#lose(reason);
    else this.#loseArrival(reason, Math.max(stampClock.now(), this.#freeFrom) + 1);
  }

  /** Came with a dump, and belongs to none. `isSurely`: it is live where it was not heard before. */
  stray(time: number, isSurely: boolean): void {
    if (this.#options.state.heard.within(time, time + 1).length > 0) return;
    if (isSurely || this.#observation.has(time)) this.damaged('serial-dump-doubt');
  }

  /** The line is open, and nothing came. `isAmid`: a message has begun. */
  quiet(isAmid: boolean): void {
    this.#options.state.rounds?.looked();
    if (this.#options.order !== 'arrival') {
      this.#observation.confirm();
    } else if (!isAmid) {
      this.#observation.reach(this.#options.stampClock.now());
    }
  }

  /** The instrument answered with what is known already. */
  confirm(): void {
    this.#options.state.rounds?.looked();
    if (this.#options.order === 'time') this.#byTime.confirm();
    else this.#observation.confirm();
  }

  #drop(): void {
    if (this.#held) this.#options.count('holdfast_serial_unbelievable_numbers_total');
    this.#held = undefined;
  }

  #place(record: DecodedRecord, position: number | undefined, continues?: Continuation): void {
    const { order, state } = this.#options;
    if (order === 'time') this.#byTime.place(record);
    else if (order === 'arrival') this.#placeByArrival(record);
    else this.#report(position!, record, { continues, mark: state.counter!.mark });
  }

  #placeByArrival(record: DecodedRecord): void {
    const { index, stepped } = this.#arrivals.next();
    if (stepped) this.#loseArrival(stepped, index);
    // Several come at one moment, and what was damaged in between had a moment of its own.
    const at = Math.max(index, this.#freeFrom);
    this.#freeFrom = at + 1;
    this.#report(at, record, {});
  }

  #lose(reason: string): void {
    this.#byTime.lose(reason);
  }

  #loseArrival(reason: string, upTo: number): void {
    this.#freeFrom = upTo;
    this.#observation.lose(reason, { upTo });
  }

  #report(
    index: number,
    record: DecodedRecord,
    proof: { readonly continues?: Continuation | undefined; readonly mark?: number },
  ): void {
    const now = this.#options.clock.monotonic();
    this.#observation.report(index, toReadings(record, index), { now, ...proof });
  }
}
