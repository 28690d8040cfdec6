// One exchange with an instrument: a command and its answer. A text protocol does not say which command an answer belongs
// to, so only the order tells: an instrument works its commands off one after the other. The order is known as long as each
// command was answered before the next one was sent; where one was not, the exchange stays behind as overdue and takes its
// late answer (serial-line.ts).
import type { FrameReader, Framing } from './frame-reader.ts';

export interface Exchange {
  readonly command: Buffer;
  /** The line gives back what is sent. */
  readonly echo?: boolean;
  /** Of the answer, where it is another than that of live messages. */
  readonly framing?: Framing;
  /** Longest wait for the first message, and between two. */
  readonly timeoutMs: number;
  /** Silence is the end that was expected, not a failure. */
  readonly silenceEnds?: boolean;
  /** Longest exchange. Default: no limit but `timeoutMs`. */
  readonly limitMs?: number;
  /** Answers say by themselves which record they are of: it does not matter to which command they belong. */
  readonly isMarked?: boolean;
  /** Called right before the command is sent. What it throws ends the exchange unsent. */
  onSend?(): void;
  /**
   * Classifies a message for this exchange; `last` completes it. An error that it throws ends the exchange, too. `isOurs`: no earlier
   * command can be what it answers.
   */
  take(content: Buffer, isOurs: boolean): 'taken' | 'last' | 'other';
}

/** `answered`: an answer, of which nobody knows yet whether it is the last one. */
export type Taken = 'taken' | 'last' | 'answered' | 'other';

/** More answers than this to one command are no answers to it: others talk on this line. */
const maxAnswers = 8;

/** An exchange that is under way, or overdue. */
export class RunningExchange {
  readonly exchange: Exchange;
  readonly reader: FrameReader | undefined;
  /** What comes before the command was sent is no answer to it. */
  isSent = false;
  /**
   * Nobody knows whether answers to earlier commands are still to come: the answer counts only once nothing came after
   * it for `timeoutMs`. Of several the last one is ours, for earlier commands are answered before.
   */
  isProof = false;
  isAnswered = false;
  garbage = 0;
  /** Monotonic. */
  lastTakenAt = 0;
  #answers = 0;
  /** Bytes of the command that have come back. */
  #echoed = 0;
  #isEchoOver: boolean;

  constructor(exchange: Exchange, reader: FrameReader | undefined) {
    this.exchange = exchange;
    this.reader = reader;
    this.#isEchoOver = !exchange.echo;
  }

  /** @throws what `take` of the exchange throws. */
  take(content: Buffer, now: number): Taken {
    const taken = this.exchange.take(content, !this.isProof);
    if (taken === 'other') return taken;
    this.lastTakenAt = now;
    if (taken === 'taken' || !this.isProof) return taken;
    this.isAnswered = true;
    this.#answers += 1;
    return 'answered';
  }

  get hasTooManyAnswers(): boolean {
    return this.#answers > maxAnswers;
  }

  /** Returns the chunk without the echo of the command, however the echo is cut into chunks. */
  withoutEcho(chunk: Buffer): Buffer {
    if (this.#isEchoOver) return chunk;
    const { command } = this.exchange;
    const expected = command.subarray(this.#echoed);
    const count = Math.min(expected.length, chunk.length);
    if (chunk.subarray(0, count).equals(expected.subarray(0, count))) {
      this.#echoed += count;
      this.#isEchoOver = this.#echoed === command.length;
      return chunk.subarray(count);
    }
    // No echo after all: what was taken for its beginning is the beginning of something else.
    this.#isEchoOver = true;
    return Buffer.concat([command.subarray(0, this.#echoed), chunk]);
  }
}

/** A command that comes back as a message is no answer to it, whatever it looks like. */
export function isEcho(content: Buffer, command: Buffer): boolean {
  const [said, sent] = [withoutControls(content), withoutControls(command)];
  return said.length > 0 ? said.equals(sent) : content.length > 0 && content.equals(command);
}

/** Without what begins and ends a message: the framing has taken it from one of both. */
function withoutControls(bytes: Buffer): Buffer {
  let [from, to] = [0, bytes.length];
  while (from < to && bytes[from]! < 0x20) from += 1;
  while (to > from && bytes[to - 1]! < 0x20) to -= 1;
  return bytes.subarray(from, to);
}
