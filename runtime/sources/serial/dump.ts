// One dump: a command, and the records that the instrument sends in answer, until its end mark. Live messages that arrive
// in between are recognised, and handled as usual.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import { dumpFraming } from './compile-framing.ts';
import type { HistoryConfig, SerialSourceConfig } from './config.ts';
import { toBytes } from './escapes.ts';
import { isEcho } from './exchange.ts';
import type { Framing } from './frame-reader.ts';
import { beginsWith, dumpMessages, liveMessages, type MessageReader } from './message-reader.ts';
import type { DecodedRecord } from './record-layout.ts';
import { refused } from './serial-errors.ts';
import type { SerialLine } from './serial-line.ts';

/** How a dump ended: with its mark, with the answer that there is nothing, or because nothing more came. */
export type DumpEnd = 'mark' | 'none' | 'silence';

export interface DumpResult {
  /** As they came. */
  readonly records: readonly DecodedRecord[];
  readonly end: DumpEnd;
  /** Messages that may have been records, and bytes outside of any: some may be missing. */
  readonly damaged: number;
}

export interface DumperOptions {
  readonly config: SerialSourceConfig;
  readonly history: HistoryConfig;
  /** True for a record that the instrument has just made: newer than any that was reported. */
  readonly isNews: (record: DecodedRecord) => boolean;
  /** It has the very next number: whichever message brings it, live reading may take it. */
  readonly isNext: (record: DecodedRecord) => boolean;
  /** A live record may have been taken for one of the dump. */
  readonly onDoubt: () => void;
  /** A record that is not new, and was not asked for. */
  readonly onStray: (record: DecodedRecord) => void;
  readonly log: Log;
}

type Taken = DecodedRecord | 'other' | 'mark' | 'none' | 'damaged' | 'unclear' | 'stray' | Shared;

/** It is of the dump, or live: both take it, for it is the same record. */
interface Shared {
  readonly shared: DecodedRecord;
}

/** An instrument that was stopped has finished what it was saying. */
const stopQuietMs = 100;

export class Dumper {
  readonly #options: DumperOptions;
  readonly #framing: Framing | undefined;
  readonly #messages: MessageReader;
  readonly #live: MessageReader;
  #isAsked: (record: DecodedRecord) => boolean = () => true;
  readonly #end: Buffer | undefined;
  readonly #none: Buffer | undefined;
  /** Records of a dump look different from live messages. */
  readonly #isDistinct: boolean;

  constructor(options: DumperOptions) {
    this.#options = options;
    const { config, history } = options;
    this.#framing = dumpFraming(config);
    this.#messages = dumpMessages(config);
    this.#live = liveMessages(config);
    this.#end = history.end === undefined ? undefined : toBytes(history.end);
    this.#none = history.none === undefined ? undefined : toBytes(history.none);
    this.#isDistinct = history.startsWith !== undefined || history.fields !== undefined;
  }

  /**
   * To be called in a turn; settles within `limitMs`, whether anybody still waits for it or not, so that what is left
   * of a dump is over before the next command.
   * @throws HoldfastError `serial-dump-too-large`, or what the exchange ended with.
   */
  async dump(
    line: SerialLine,
    command: Buffer,
    count: (bytes: number) => void,
    isAsked: (record: DecodedRecord) => boolean,
  ): Promise<DumpResult> {
    const { history } = this.#options;
    this.#isAsked = isAsked;
    if (history.before !== undefined) await line.send(toBytes(history.before));
    try {
      // What the instrument still says of its own accord would be taken for the beginning of its dump.
      if (history.before !== undefined && this.#framing) await line.quiet(stopQuietMs, history.timeoutMs);
      return await this.#exchange(line, command, count);
    } finally {
      // A line that is lost is told of by the exchange.
      if (history.after !== undefined) await line.send(toBytes(history.after)).catch(() => {});
    }
  }

  async #exchange(line: SerialLine, command: Buffer, count: (bytes: number) => void): Promise<DumpResult> {
    const { history, config } = this.#options;
    const records: DecodedRecord[] = [];
    let [bytes, damaged] = [0, 0];
    let end: DumpEnd = 'silence';
    const silenceEnds = history.endSilenceMs !== undefined && this.#end === undefined;
    const garbageBefore = line.garbageBytes;
    await line.exchange({
      command,
      echo: config.poll?.echo ?? false,
      ...(this.#framing && { framing: this.#framing }),
      timeoutMs: silenceEnds ? history.endSilenceMs! : history.timeoutMs,
      silenceEnds,
      limitMs: history.limitMs,
      take: (content) => {
        const taken = this.#take(content, command);
        // It goes to live reading as well: nobody can tell which of both it was.
        if (taken === 'unclear') damaged += 1;
        if (taken === 'other' || taken === 'unclear') return 'other';
        if (taken === 'mark' || taken === 'none') {
          end = taken;
          return 'last';
        }
        if (typeof taken === 'object' && 'shared' in taken) {
          records.push(taken.shared);
          return 'other';
        }
        bytes += content.length;
        // What is too large is still listened to until its end: it would be taken for live messages otherwise.
        if (taken !== 'stray' && bytes <= history.maxBytes) {
          if (taken === 'damaged') damaged += 1;
          else records.push(taken);
        }
        return 'taken';
      },
    });
    count(bytes);
    if (bytes > history.maxBytes) throw tooLarge(bytes, history.maxBytes);
    return { records, end, damaged: damaged + (line.garbageBytes > garbageBefore ? 1 : 0) };
  }

  #take(content: Buffer, command: Buffer): Taken {
    if (this.#end && beginsWith(content, this.#end)) return 'mark';
    if (this.#none && beginsWith(content, this.#none)) return 'none';
    if (isEcho(content, command)) return 'other';
    const message = this.#messages.read(content);
    switch (message.kind) {
      case 'refusal':
        throw refused(command, content);
      case 'record':
        if (this.#isDistinct) return message.record;
        // What was not asked for says nothing of the memory: it may be live, of an instrument whose clock was set back.
        if (!this.#options.isNews(message.record)) {
          if (this.#isAsked(message.record)) return message.record;
          this.#options.onStray(message.record);
          return 'stray';
        }
        if (!this.#framing && this.#options.isNext(message.record)) return { shared: message.record };
        // What was asked for is of the dump; that it may have been live is a reason to observe nothing from here on.
        if (!this.#isAsked(message.record)) return 'other';
        this.#options.onDoubt();
        return message.record;
      case 'damaged':
        if (this.#framing) return 'damaged';
        // Live messages are no records of a dump where these have a form of their own.
        return this.#isDistinct && this.#live.look(content).kind === 'record' ? 'other' : 'unclear';
      case 'other':
        return 'other';
    }
  }
}

function tooLarge(bytes: number, maxBytes: number): HoldfastError {
  const message = `a dump had ${bytes} bytes, more than history.maxBytes (${maxBytes}): ask for less at a time (history.pageRecords, pageMs)`;
  return new HoldfastError('serial-dump-too-large', message, { retryable: true });
}

export function isTooLarge(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'serial-dump-too-large';
}

/** A range whose dumps always have something damaged in them is not asked for for ever. */
export function stillDamaged(attempts: number): HoldfastError {
  const message = `the dump was damaged, ${attempts} times: check line, framing and checksum of history`;
  return new HoldfastError('serial-history-damaged', message, { retryable: true });
}
