// What a gateway has under way and on its disk is bounded.
import type { Gateway } from './gateway.ts';

/**
 * In flight: messages, actions of the one target there is, and the bytes of all; the log and the values of a spool. An action whose
 * time is over is still in flight until the time limit of what is sent, while the next ones go out. The log holds the windows that are
 * open: 21 s of ten sources, where the twin asks for that.
 */
const bounds = { messages: 64, actions: 4, bytes: 8 * 1024 * 1024, walBytes: 400_000, valueBytes: 400_000 };
/** A checkpoint has so many bytes for each segment of the values. With logs this small there are up to three a second. */
const checkpointBytes = 20;
const checkpoints = 64;

/** Files of values that were removed may be back when the power is, until the first looks of the next process. */
const returnedMs = 60_000;

/** What is larger than it may be, in words. */
export function tooLarge({ load, valueSegments, roomBytes, holdsBack, isRunning, upMs }: Gateway): string[] {
  const mayHaveReturned = !isRunning || upMs < returnedMs;
  // What must not go is kept, whatever the room.
  const room = holdsBack || mayHaveReturned ? undefined : roomBytes;
  const most = {
    ...bounds,
    walBytes: bounds.walBytes + checkpoints * checkpointBytes * valueSegments,
    valueBytes: bounds.valueBytes + 2 * (room ?? Number.POSITIVE_INFINITY),
  };
  return (Object.entries(most) as [keyof typeof bounds, number][])
    .filter(([what, limit]) => load[what] > limit)
    .map(([what, limit]) => `${what}: ${load[what]} of ${limit}`);
}
