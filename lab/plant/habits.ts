// Connection habits of real devices, beside their answers: no answer at first, closing, needing time, and odd headers. For
// Modbus TCP; of one connection each.
import { z } from 'zod';

const ms = z.number().min(0).max(600_000);

export const habitsFault = z.strictObject({
  /** Requests so soon after the connection was made are lost. */
  deafMs: ms.optional(),
  /** The connection is closed after each answer. */
  closesAfterAnswer: z.boolean().optional(),
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
});

type Habits = z.output<typeof habitsFault>;

/** What a connection has to know to keep them. Times are monotonic ms. */
export class HabitualConnection {
  readonly #openedAt: number;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #idle: NodeJS.Timeout | undefined;

  constructor(now: number) {
    this.#openedAt = now;
  }

  /** The request is heard. */
  hears({ deafMs = 0, gapMs = 0 }: Habits = {}, now: number): boolean {
    return now - this.#openedAt >= deafMs && now - this.#answeredAt >= gapMs;
  }

  /** `frame` is about to be sent. */
  change(habits: Habits | undefined, frame: Buffer): void {
    if (!habits) return;
    const { transactionId, unitId, lengthError } = habits;
    if (transactionId !== undefined) frame.writeUInt16BE(transactionId, 0);
    if (lengthError !== undefined) frame.writeUInt16BE(frame.readUInt16BE(4) + lengthError, 4);
    if (unitId !== undefined) frame[6] = unitId;
  }

  answered(habits: Habits | undefined, now: number, close: () => void): void {
    this.#answeredAt = now;
    this.stop();
    if (habits?.closesAfterAnswer) close();
    else if (habits?.closesIdleMs !== undefined) this.#idle = setTimeout(close, habits.closesIdleMs);
  }

  stop(): void {
    clearTimeout(this.#idle);
  }
}
