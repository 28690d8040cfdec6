// How long ago a stream had come as far as it has.
import type { Moment } from '../../kernel/moment.ts';
import type { StreamStart } from './window-store.ts';

/** `start`: as it was when the stream was `opened`. `furtherAt`: when it came further since, monotonic ms. */
export function ageOf(
  start: StreamStart,
  opened: Moment,
  furtherAt: number | undefined,
  { now, wall }: Moment,
): Pick<StreamStart, 'ageMs' | 'isAgeSure' | 'setByMs'> {
  if (furtherAt !== undefined) return { ageMs: now - furtherAt, isAgeSure: true };
  const { ageMs, isAgeSure, setByMs } = start;
  const passedMs = now - opened.now;
  return {
    ...(ageMs !== undefined && { ageMs: ageMs + passedMs }),
    ...(isAgeSure !== undefined && { isAgeSure }),
    ...(setByMs !== undefined && { setByMs: setByMs + wall - opened.wall - passedMs }),
  };
}
