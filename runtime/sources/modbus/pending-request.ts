// The request that is under way on a connection.
import type { Timer } from '../../../kernel/clock.ts';
import { modbusMatch } from './response-match.ts';

export interface Pending {
  readonly timeoutMs: number;
  describe(): string;
  onSend(): void;
  /** The request, once modbus-serial has encoded it. */
  wanted: Buffer;
  /** The frame sent last: `wanted` itself, or a probe before it. */
  sent: Buffer;
  phase: 'waiting' | 'asking' | 'looking' | 'proving' | 'confirming';
  /** The answer that is being confirmed, and the number of unrequested frames of the unit by then. */
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

/** Until the request is made. */
const nobody = Buffer.alloc(2);

export function pendingFor(
  request: { readonly timeoutMs: number; describe(): string; onSend?(): void },
  fail: Pending['fail'],
): Pending {
  return {
    timeoutMs: request.timeoutMs,
    describe: () => request.describe(),
    onSend: () => request.onSend?.(),
    wanted: nobody,
    sent: nobody,
    phase: 'waiting',
    answer: nobody,
    strays: 0,
    isSeen: false,
    unfit: undefined,
    proofs: 0,
    timer: undefined,
    fail,
  };
}

/** Said where nothing better comes. */
export function noteUnfit(pending: Pending, frame: Buffer): void {
  if (pending.phase === 'waiting' || frame.equals(pending.sent)) return;
  if (!modbusMatch.fits(frame, pending.sent)) pending.unfit ??= frame;
}
