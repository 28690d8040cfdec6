// One session with an instrument: a line that is open, and what is said over it.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import { createPollSchedule } from '../line/poll-schedule.ts';
import { BetweenFrames } from './between-frames.ts';
import type { PollConfig, SerialSourceConfig } from './config.ts';
import { toBytes } from './escapes.ts';
import { isEcho } from './exchange.ts';
import type { GarbageKind } from './frame-scanner.ts';
import { joinAnswers } from './joined-answers.ts';
import { pendingInputMs } from './line-quiet.ts';
import { hidesRecord, type MessageReader } from './message-reader.ts';
import type { DecodedRecord } from './record-layout.ts';
import type { Reporter } from './reporter.ts';
import { heardText, mixedSamples, outOfStep, refused, silent, unmatched, unread } from './serial-errors.ts';
import type { SerialLine } from './serial-line.ts';
import { orderOf } from './stream-order.ts';

export interface SessionParts {
  readonly config: SerialSourceConfig;
  readonly line: SerialLine;
  readonly reporter: Reporter;
  readonly messages: MessageReader;
  /** It may belong to a dump whose end nobody saw. */
  readonly isTail: (record: DecodedRecord) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly count: (name: string, by?: number) => void;
  /** Bytes were thrown away. */
  readonly onDropped: (bytes: Buffer, why: GarbageKind) => void;
  /** A whole message in which no record was found. */
  readonly onDamaged: (content: Buffer, why: string) => void;
}

/** How often a line on which nothing happens is stated to be listened to. */
const stateEveryMs = 1000;
/** Failed polls in a row after which the session ends: the supervisor's growing waits then spare the line. */
export const maxFailures = 3;
/** An instrument that was not heard since the line was opened may be starting: another session would begin that anew. */
export const deafMs = 5000;
/** Messages in a row, none with a tag, after which it is said. */
const strangeMessages = 10;
/** Tries to get the answers to several commands out of one sample. */
export const sampleAttempts = 3;

/** Listens to an instrument that talks by itself. */
export class ListenSession {
  readonly #parts: SessionParts;
  #lastRecordAt: number;
  /** Bytes since the last record that were no message, or a damaged one. */
  #garbage = 0;
  /** Whole messages since the last record in which there was none, and their bytes. */
  #others = 0;
  #otherBytes = 0;
  #hasRecord = false;
  readonly #between: BetweenFrames;
  #heldBack: GarbageKind = 'noise';

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#between = new BetweenFrames(parts.config, parts.messages);
    this.#lastRecordAt = parts.clock.monotonic();
  }

  onFrame(content: Buffer): void {
    const { messages, reporter, count } = this.#parts;
    this.#settle();
    const message = messages.read(content);
    switch (message.kind) {
      case 'record':
        if (this.#parts.isTail(message.record)) {
          count('holdfast_serial_other_messages_total');
          reporter.damaged('serial-dump-tail');
          break;
        }
        count('holdfast_serial_records_total');
        this.#lastRecordAt = this.#parts.clock.monotonic();
        this.#garbage = 0;
        this.#others = 0;
        this.#otherBytes = 0;
        this.#hasRecord = true;
        reporter.take(message.record);
        break;
      case 'damaged':
        count('holdfast_serial_damaged_messages_total');
        this.#noteOther(content);
        this.#parts.onDamaged(content, message.why);
        reporter.damaged(message.why);
        break;
      case 'refusal':
        count('holdfast_serial_refusals_total');
        this.#onOther(content);
        break;
      case 'other':
        count('holdfast_serial_other_messages_total');
        this.#onOther(content);
        break;
    }
  }

  /** Of no interest by how it begins. Where the end was lost between it and a record, no check sum tells but their own. */
  #onOther(content: Buffer): void {
    const { config, messages, reporter, count } = this.#parts;
    this.#noteOther(content);
    if (config.checksum !== undefined || !hidesRecord(messages, content)) return;
    count('holdfast_serial_damaged_messages_total');
    reporter.damaged('serial-joined');
  }

  #noteOther(content: Buffer): void {
    this.#others += 1;
    this.#otherBytes += content.length;
    const { trouble } = this;
    if (this.#others === strangeMessages && trouble !== undefined)
      this.#parts.log.warn({ code: 'source-settings-unfit' }, trouble);
  }

  /** Messages come, and none is one of those that are read; undefined otherwise. */
  get trouble(): string | undefined {
    return this.#hasRecord || this.#others < strangeMessages ? undefined : this.heard;
  }

  /** What came since the last record, and why it made none; undefined where nothing did. */
  get heard(): string | undefined {
    const { keptBytes, recent, kind } = this.#parts.line;
    return heardText({
      garbage: this.#garbage,
      messages: this.#others,
      messageBytes: this.#otherBytes,
      kept: keptBytes,
      recent,
      kind,
    });
  }

  onGarbage(garbage: Buffer, why: GarbageKind): void {
    this.#garbage += garbage.length;
    if (why !== 'checksum' && why !== 'too-long' && this.#between.add(garbage)) this.#heldBack = why;
    else this.#dropped(garbage, why);
  }

  /** Something came between messages, of which nobody knows yet whether it was one. */
  get isAmid(): boolean {
    return this.#between.isPending;
  }

  /** What came between messages is over. */
  #settle(): void {
    if (!this.#between.isPending) return;
    const bytes = this.#between.bytes;
    if (!this.#between.settle()) this.#dropped(bytes, this.#heldBack);
    else this.#parts.count('holdfast_serial_other_messages_total');
  }

  #dropped(bytes: Buffer, why: GarbageKind): void {
    this.#parts.onDropped(bytes, why);
    this.#parts.reporter.damaged(`serial-${why}`);
  }

  /** Until the line is lost or the instrument has been silent for too long; rejects in any case. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock, line, reporter, config } = this.#parts;
    const limitMs = config.expectEveryMs ?? Number.POSITIVE_INFINITY;
    for (let isLooked = false; ; ) {
      // An instrument that dumps its memory may have no time to talk.
      const lastSignAt = Math.max(this.#lastRecordAt, line.answeredAt);
      const leftMs = lastSignAt + limitMs - clock.monotonic();
      if (leftMs <= 0 && isLooked) {
        const { message } = silent(limitMs);
        const { heard } = this;
        throw heard === undefined ? silent(limitMs) : unread(message, heard);
      }
      isLooked = leftMs <= 0;
      await sleep(clock, isLooked ? pendingInputMs : Math.min(stateEveryMs, leftMs), signal);
      if (line.lost) throw line.lost;
      if (!line.isAmid) this.#settle();
      // Where messages are expected, only a message shows that the instrument is there.
      if (config.expectEveryMs === undefined) reporter.quiet(line.isAmid || this.isAmid);
      else if (line.answeredAt > this.#lastRecordAt) reporter.confirm();
    }
  }
}

/** Asks an instrument on schedule. */
export class SerialSession {
  readonly #parts: SessionParts;
  readonly #poll: PollConfig;
  readonly #commands: readonly Buffer[];
  readonly #between: BetweenFrames;
  // An instrument that has never answered is not asked three times before the supervisor's waits spare the line.
  #failures = maxFailures - 1;
  /** Records say which one they are. */
  readonly #isMarked: boolean;
  readonly #openedAt: number;
  #wasGood = false;
  #trouble: string | undefined;

  constructor(parts: SessionParts, poll: PollConfig) {
    this.#parts = parts;
    this.#poll = poll;
    this.#between = new BetweenFrames(parts.config, parts.messages);
    this.#openedAt = parts.clock.monotonic();
    this.#isMarked = orderOf(parts.config) !== 'arrival';
    this.#commands = (typeof poll.command === 'string' ? [poll.command] : poll.command).map(toBytes);
  }

  /** Why polls fail just now, for people. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** What comes and was not asked for. Where it could be an answer, nobody knows whose the next one is. */
  onFrame(content: Buffer): void {
    const { count, line, messages } = this.#parts;
    count('holdfast_serial_other_messages_total');
    if (messages.look(content).kind === 'record') line.doubt();
  }

  readonly isAmid = false;
  /** A poll that is not answered says so itself. */
  readonly heard = undefined;

  /** It is no hole where an instrument is asked; what it is, is told. */
  onGarbage(garbage: Buffer, why: GarbageKind): void {
    if (why === 'checksum' || why === 'too-long' || !this.#between.add(garbage))
      this.#parts.onDropped(garbage, why);
  }

  /** What came around the answers of a poll is over. */
  #settle(): void {
    const { bytes } = this.#between;
    if (bytes.length > 0 && !this.#between.settle()) this.#parts.onDropped(bytes, 'noise');
  }

  async run(signal: AbortSignal): Promise<never> {
    const { clock } = this.#parts;
    const schedule = createPollSchedule(clock, this.#poll.everyMs);
    for (;;) {
      this.#onMissed(await schedule.next(signal));
      await this.#pollOnce(signal, () => this.#onMissed(schedule.ended()));
    }
  }

  async #pollOnce(signal: AbortSignal, beforeReport: () => void): Promise<void> {
    const { line, reporter } = this.#parts;
    try {
      const record = await line.turns.run('live', () => this.#sample(), signal);
      this.#settle();
      // What went by while this poll was under way lies before its answer, so the break comes before it too.
      beforeReport();
      reporter.take(record);
      this.#failures = 0;
      this.#wasGood = true;
      this.#trouble = undefined;
    } catch (error) {
      signal.throwIfAborted();
      this.#settle();
      // An instrument that refuses for a while is there: to open the line anew would change nothing, and restart some.
      const isThere = this.#wasGood && error instanceof HoldfastError && error.code === 'serial-refused';
      if (!isThere) this.#failures += 1;
      this.#onFailure(error);
      if (line.lost) throw line.lost;
      if (this.#failures >= maxFailures && !(this.#isStarting && mayStart(error))) throw error;
    }
  }

  /** It was not understood yet, and may not hear, or say something else as it starts. */
  get #isStarting(): boolean {
    return !this.#wasGood && this.#parts.clock.monotonic() - this.#openedAt < deafMs;
  }

  /** The answers to all commands are one sample: of the same record, where the instrument numbers or stamps them. */
  async #sample(): Promise<DecodedRecord> {
    await this.#getInStep();
    for (let attempt = 1; ; attempt++) {
      const answers: DecodedRecord[] = [];
      for (const command of this.#commands) answers.push(await this.#ask(command, answers));
      this.#requireInStep();
      const record = joinAnswers(answers);
      if (record) return record;
      if (attempt === sampleAttempts) throw mixedSamples(attempt);
      this.#parts.count('holdfast_serial_mixed_samples_total');
    }
  }

  /** What brings no tag that is not there yet is an answer to one of the `others` once more. */
  #ask(command: Buffer, others: readonly DecodedRecord[] = []): Promise<DecodedRecord> {
    const known = new Set(others.flatMap(({ values }) => values.map(({ tag }) => tag)));
    const isAnswer = ({ values }: DecodedRecord) => values.some(({ tag }) => !known.has(tag));
    return ask(this.#parts, this.#poll, command, { isMarked: this.#isMarked, isAnswer });
  }

  /**
   * A record says by itself which one it is. Without number or time only the order of answers tells, so after one that
   * did not come, what comes next proves the order, and is not taken for a sample.
   */
  async #getInStep(): Promise<void> {
    const { line } = this.#parts;
    await line.settle();
    if (this.#isMarked || line.isInStep) return;
    await this.#ask(this.#commands[0]!);
    this.#requireInStep();
  }

  #requireInStep(): void {
    if (!this.#isMarked && !this.#parts.line.isInStep) throw outOfStep(this.#commands[0]!);
  }

  #onMissed(missed: number): void {
    if (missed === 0) return;
    this.#parts.count('holdfast_serial_missed_polls_total', missed);
    this.#parts.reporter.damaged('poll-missed');
  }

  #onFailure(error: unknown): void {
    const reason = error instanceof HoldfastError ? error.code : 'poll-failed';
    this.#parts.count('holdfast_serial_failed_polls_total');
    this.#parts.count(failureCounters[reason] ?? 'holdfast_serial_other_failures_total');
    this.#trouble = `polls fail: ${describeError(error)}`;
    this.#parts.log.debug({ reason }, this.#trouble);
    this.#parts.reporter.damaged(reason);
  }
}

/** As instruments do while they start. */
const startErrors: ReadonlySet<string> = new Set(['serial-timeout', 'serial-garbage', 'serial-refused']);

function mayStart(error: unknown): boolean {
  return error instanceof HoldfastError && startErrors.has(error.code);
}

const failureCounters: Readonly<Record<string, string>> = {
  'serial-timeout': 'holdfast_serial_timeouts_total',
  'serial-garbage': 'holdfast_serial_garbled_answers_total',
  'serial-refused': 'holdfast_serial_refusals_total',
  'serial-mixed-samples': 'holdfast_serial_mixed_samples_total',
  'serial-out-of-step': 'holdfast_serial_out_of_step_total',
  'serial-line-busy': 'holdfast_serial_out_of_step_total',
};

interface AskOptions {
  readonly isMarked?: boolean;
  /** Whether a record may be the answer. Default: any. */
  readonly isAnswer?: (record: DecodedRecord) => boolean;
  readonly onAnswer?: (content: Buffer) => void;
}

type AskParts = Pick<SessionParts, 'line' | 'messages' | 'count'> & Partial<Pick<SessionParts, 'isTail'>>;

/** Sends one command and reads its answer. To be called in a turn. */
export async function ask(
  { line, messages, count, isTail }: AskParts,
  { timeoutMs, echo }: Pick<PollConfig, 'timeoutMs' | 'echo'>,
  command: Buffer,
  { isMarked = false, isAnswer = () => true, onAnswer }: AskOptions = {},
): Promise<DecodedRecord> {
  let record: DecodedRecord | undefined;
  let damaged = 0;
  try {
    await line.exchange({
      command,
      echo,
      timeoutMs,
      isMarked,
      take(content) {
        if (isEcho(content, command)) return 'taken';
        const message = messages.read(content);
        if (message.kind === 'refusal') throw refused(command, content);
        onAnswer?.(content);
        if (message.kind === 'damaged') damaged += content.length;
        if (message.kind !== 'record' || isTail?.(message.record)) return 'other';
        if (!isAnswer(message.record)) return 'taken';
        record = message.record;
        return 'last';
      },
    });
  } catch (error) {
    // An answer came, and made no sense: not the same as none.
    if (damaged > 0 && error instanceof HoldfastError && error.code === 'serial-timeout')
      throw unmatched(error.message, line.recent, line.kind);
    throw error;
  }
  count('holdfast_serial_records_total');
  return record!;
}
