// Waits for silence on a line.
import type { Clock } from '../../../kernel/clock.ts';
import type { HoldfastError } from '../../../kernel/errors.ts';
import { lineBusy } from './serial-errors.ts';

/**
 * A limit that has passed is looked at once more so much later. Where this process itself was held up, the timer comes
 * before the bytes that have long arrived: they are no silence.
 */
export const pendingInputMs = 10;

interface Heard {
  /** When the last byte came; monotonic. */
  readonly lastByteAt: () => number;
  readonly lost: () => HoldfastError | undefined;
}

/** @throws HoldfastError `serial-line-busy` after `limitMs`, or what the line was lost with. */
export function untilQuiet(clock: Clock, heard: Heard, quietMs: number, limitMs: number): Promise<void> {
  const begunAt = clock.monotonic();
  return new Promise((resolve, reject) => {
    const look = (isLooked: boolean) => {
      const lost = heard.lost();
      if (lost) return reject(lost);
      const now = clock.monotonic();
      const leftMs = Math.max(begunAt, heard.lastByteAt()) + quietMs - now;
      if (leftMs <= 0 && isLooked) return resolve();
      if (now - begunAt >= limitMs) return reject(lineBusy(limitMs));
      clock.setTimer(Math.max(leftMs, pendingInputMs), () => look(leftMs <= 0));
    };
    look(false);
  });
}
