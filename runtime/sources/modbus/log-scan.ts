// Reads an event log until the time of each of its records is known (log-times.ts). The equipment goes on writing
// meanwhile: a record counts where its own number proves it, or where the log's pointers, read after it, say that it is
// still held.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { LogTimes } from './log-times.ts';
import type { LogRange, LogRecord, RecordLog } from './record-log.ts';

export interface LogScanOptions {
  readonly records: RecordLog;
  readonly times: LogTimes;
}

/** A log that is overwritten faster than it can be read is not read to its end by trying for ever. */
export const maxStalls = 5;
/** Records of which the times are remembered. */
const maxRecords = 250_000;
/** Reads of a record that shows another number, or no time, before it counts as damaged. */
const maxTries = 3;
/** Looks at what came while the rest was looked at. */
const maxRounds = 3;
/** Steps back within the log that are followed. */
const maxSteps = 16;
/** Oldest records left out after the first stall, as a part of the log; twice as many after each further one. */
const firstMargin = 1 / 64;

export class LogScan {
  readonly #options: LogScanOptions;
  /** Reads of a record that showed no valid time. */
  readonly #tries = new Map<number, number>();
  #held: LogRange | undefined;

  constructor(options: LogScanOptions) {
    this.#options = options;
  }

  /** All that is held, once the time of each record is known. Undefined where the log is empty. */
  async complete(signal: AbortSignal): Promise<LogRange | undefined> {
    const { times } = this.#options;
    let held = await this.#look(signal);
    const { newest } = held;
    let stalls = 0;
    let rounds = 0;
    let isSame = false;
    while (held.newest >= held.oldest) {
      const next = this.#nextUnknown(held, stalls);
      const isBehind = next !== undefined && next > newest && held.oldest <= newest;
      if (next === undefined || (isBehind && ++rounds > maxRounds)) {
        if (times.complete() > maxSteps) throw setBackTooOften();
        return held;
      }
      const { round } = times;
      // The record before shows that it is still the same log.
      const first = !isSame && next > held.oldest && times.isKnown(next - 1) ? next - 1 : next;
      isSame = true;
      const isRead = await this.#learn(first, held.newest, signal);
      // It was cleared meanwhile.
      if (times.round !== round) return this.complete(signal);
      stalls = isRead ? 0 : stalls + 1;
      if (stalls >= maxStalls) throw unstable();
      held = this.#held!;
    }
    return undefined;
  }

  async #look(signal: AbortSignal): Promise<LogRange> {
    const { records, times } = this.#options;
    const range = await records.range(signal);
    if (range.newest - range.oldest >= maxRecords) throw tooLarge(range);
    this.#held = times.see(range);
    return this.#held;
  }

  /** After a stall the oldest records are left until the others are known: they will be gone before we get to them. */
  #nextUnknown({ oldest, newest }: LogRange, stalls: number): number | undefined {
    const margin = stalls === 0 ? 0 : Math.ceil((newest - oldest) * firstMargin * 2 ** (stalls - 1));
    return this.#firstUnknown(oldest + margin, newest) ?? this.#firstUnknown(oldest, newest);
  }

  #firstUnknown(from: number, to: number): number | undefined {
    for (let at = from; at <= to; at++) if (!this.#options.times.isKnown(at)) return at;
    return undefined;
  }

  /** False where all of it was overwritten meanwhile. */
  async #learn(first: number, newest: number, signal: AbortSignal): Promise<boolean> {
    const { times, records } = this.#options;
    const limit = Math.min(Math.max(2, records.pageOf(requestsPerPage)), newest - first + 1);
    const taken = await this.take(first, limit, signal);
    for (const [at, record] of taken.entries()) {
      const position = first + at;
      if (record === 'gone' || times.isKnown(position)) continue;
      if (record?.timestamp !== undefined || this.#isTriedOften(position))
        times.note(position, record?.timestamp);
    }
    return taken.some((record) => record !== 'gone');
  }

  #isTriedOften(position: number): boolean {
    const tries = (this.#tries.get(position) ?? 0) + 1;
    this.#tries.set(position, tries);
    if (tries < maxTries) return false;
    this.#tries.delete(position);
    return true;
  }

  /**
   * Records from `first` on, at most `limit`; undefined for one that is held and shows another number, `gone` for one
   * that was overwritten before it was read.
   */
  async take(
    first: number,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly (LogRecord | undefined | 'gone')[]> {
    const { records, times } = this.#options;
    const { round } = times;
    const slots = await records.slots(times.numberAt(first), limit, signal);
    // Before it is seen that some were overwritten since.
    if (records.isProvenByNumber)
      for (const [at, slot] of slots.entries())
        if (slot?.timestamp !== undefined && !times.isKnown(first + at))
          times.note(first + at, slot.timestamp);
    const { oldest } = await this.#look(signal);
    const taken = slots.map((slot, at) => {
      if (first + at >= oldest) return slot;
      return records.isProvenByNumber && slot ? slot : 'gone';
    });
    const isAnother = taken.some((record, at) => {
      if (record === undefined || record === 'gone' || record.timestamp === undefined) return false;
      const known = times.timeOf(first + at);
      return known !== undefined && known !== record.timestamp;
    });
    // Its numbers started anew, and have come as far as they were.
    if (isAnother && times.round === round) times.restart();
    return times.round === round ? taken : slots.map(() => 'gone' as const);
  }
}

export const requestsPerPage = 16;

export function unstable(): HoldfastError {
  const message = 'the event log is overwritten faster than it can be read';
  return new HoldfastError('modbus-history-unstable', message, { retryable: true });
}

function setBackTooOften(): HoldfastError {
  const message = `the clock was set back more than ${maxSteps} times within the event log: order this source by its record numbers (index: sequence)`;
  return new HoldfastError('modbus-history-clock', message, { retryable: true });
}

function tooLarge({ oldest, newest }: LogRange): HoldfastError {
  const message = `the event log holds ${newest - oldest + 1} records, and the times of at most ${maxRecords} are followed: order this source by its record numbers (index: sequence)`;
  return new HoldfastError('modbus-history-too-large', message, { retryable: true });
}
