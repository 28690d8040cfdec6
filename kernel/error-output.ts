// Writes logs to standard error, each line at once, so that the last ones before a crash can be read. Lines that nobody
// reads are dropped: a reader that has gone must block nothing, and a log library's own flush waits for it for ever.
import { writeSync } from 'node:fs';

const maxTries = 20;
const pauseMs = 5;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Never throws; waits 0.1 s at most for a reader that is slow. */
export const errorOutput = {
  write(text: string): void {
    let rest: Uint8Array = Buffer.from(text, 'utf8');
    for (let tries = 0; rest.length > 0 && tries < maxTries; ) {
      try {
        rest = rest.subarray(writeSync(2, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        tries += 1;
        Atomics.wait(sleeper, 0, 0, pauseMs);
      }
    }
  },
};
