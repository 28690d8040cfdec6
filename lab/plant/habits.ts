// Connection habits of real devices, beside their answers: no answer at first, closing, needing time, odd headers, and answers
// that lag. Of one connection each; headers are those of Modbus TCP, all else is had on the serial bus as well.
import { z } from 'zod';
import { mbapBytes } from './mbap.ts';

const ms = z.number().min(0).max(600_000);
const count = z.int().min(1).max(1000);

export const habitsFault = z.strictObject({
  /** Requests so soon after the connection was made are lost. */
  deafMs: ms.optional(),
  /** The first requests of a connection are lost, whenever they come. */
  losesFirst: count.optional(),
  /** The connection is closed after each answer. */
  closesAfterAnswer: z.boolean().optional(),
  /** The connection is closed after so many answers. */
  closesAfterAnswers: count.optional(),
  /** The connection is closed amid each so many-th answer. */
  cutsEvery: count.optional(),
  /** The connection is closed when nothing was asked for so long. */
  closesIdleMs: ms.optional(),
  /** Requests so soon after an answer are lost. */
  gapMs: ms.optional(),
  /** Answers carry this number instead of their request's. */
  transactionId: z.int().min(0).max(0xffff).optional(),
  /** Answers carry this unit. */
  unitId: z.int().min(0).max(255).optional(),
  /** The header of an answer counts so many bytes more than there are. */
  lengthError: z.int().min(1).max(8).optional(),
  /** So many zeros follow each answer. */
  strayBytes: z.int().min(1).max(64).optional(),
  /** Each request is given what the one before it was to be answered with, under its own number: a gateway that fell behind. */
  lags: z.boolean().optional(),
});

export type Habits = z.output<typeof habitsFault>;

/** What a connection has to know to keep them. Times are monotonic ms. */
export class HabitualConnection {
  readonly #openedAt: number;
  #requests = 0;
  #answers = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #held: Buffer | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(now: number) {
    this.#openedAt = now;
  }

  /** The request is heard. */
  hears({ deafMs = 0, gapMs = 0, losesFirst = 0 }: Habits = {}, now: number): boolean {
    this.#requests += 1;
    if (this.#requests <= losesFirst) return false;
    return now - this.#openedAt >= deafMs && now - this.#answeredAt >= gapMs;
  }

  /** What goes out in place of `frame`, of Modbus TCP; undefined: nothing. */
  change({ transactionId, unitId, lengthError, lags }: Habits, frame: Buffer): Buffer | undefined {
    const given = lags ? this.#lagging(frame) : frame;
    if (given === undefined) return undefined;
    if (transactionId !== undefined) given.writeUInt16BE(transactionId, 0);
    if (lengthError !== undefined) given.writeUInt16BE(given.readUInt16BE(4) + lengthError, 4);
    if (unitId !== undefined) given[6] = unitId;
    return given;
  }

  /** Sends the answer, or what becomes of it. */
  give(
    { strayBytes = 0, cutsEvery, ...habits }: Habits,
    frame: Buffer,
    now: number,
    peer: { write(bytes: Buffer): void; close(): void },
  ): void {
    this.#answers += 1;
    this.#answeredAt = now;
    this.stop();
    const isCut = cutsEvery !== undefined && this.#answers % cutsEvery === 0;
    peer.write(
      isCut ? frame.subarray(0, frame.length >> 1) : Buffer.concat([frame, Buffer.alloc(strayBytes)]),
    );
    const isLast = habits.closesAfterAnswer || this.#answers === habits.closesAfterAnswers;
    if (isCut || isLast) peer.close();
    else if (habits.closesIdleMs !== undefined)
      this.#idle = setTimeout(() => peer.close(), habits.closesIdleMs);
  }

  /** The answer's values reach nobody as what they are. */
  static spoils({ lags = false, cutsEvery }: Habits): boolean {
    return lags || cutsEvery !== undefined;
  }

  stop(): void {
    clearTimeout(this.#idle);
  }

  #lagging(frame: Buffer): Buffer | undefined {
    const last = this.#held;
    this.#held = Buffer.from(frame.subarray(mbapBytes - 1));
    if (last === undefined) return undefined;
    const given = Buffer.concat([frame.subarray(0, mbapBytes - 1), last]);
    given.writeUInt16BE(last.length, 4);
    return given;
  }
}
