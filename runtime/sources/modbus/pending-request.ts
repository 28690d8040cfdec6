// The request that is under way on a connection.
import type { Timer } from '../../../kernel/clock.ts';

export interface Pending {
  readonly timeoutMs: number;
  describe(): string;
  onSend(): void;
  /** What is to be asked, once modbus-serial has made it. */
  wanted: Buffer;
  /** What was sent last: `wanted` itself, or what has to be known before. */
  sent: Buffer;
  phase: 'waiting' | 'asking' | 'looking' | 'proving' | 'confirming';
  /** The answer that is being confirmed, and what of the unit had come by then that nobody asked for. */
  answer: Buffer;
  strays: number;
  /** Something came that may have been the answer, and was not tied to the request. */
  isSeen: boolean;
  /** A frame that came, and was no answer. */
  unfit: Buffer | undefined;
  /** Requests of our own so far. */
  proofs: number;
  timer: Timer | undefined;
  /** Ends the request under way; does nothing when it has ended already. */
  fail(error: unknown): void;
}
