// Stores many bytes in little time: readings whose values are long and do not compress, in messages of about
// 16 KB, through windows and journal like all others.
import { randomBytes } from 'node:crypto';
import type { Reading } from '../../../wire/reading.ts';
import type { SpoolRecorder } from './spool-recorder.ts';

/** For windows that are filled so: commits follow each other closely. */
export const fillLimits = { maxBytes: 16 * 1024, commitBytes: 2 ** 20 };

const valueBytes = 1000;
// Little waits: a site's rate is what memory should be seen at, not a bulk load's.
const maxWaitingBytes = 2 * 2 ** 20;
// Slices of one long random text: making randomness must not be what is measured.
const text = randomBytes(3 * 2 ** 20).toString('base64');

/** Keeps about `megabytes`, from position `from` on, in so many streams by turns, so many readings in each turn. Returns where the next may go on. */
export async function fill(
  recorder: SpoolRecorder,
  megabytes: number,
  from: number,
  { streams = 1, readingsAtOnce = 16 } = {},
): Promise<number> {
  let index = from;
  let offset = (from * 7919) % (text.length - valueBytes);
  let turn = 0;
  for (let bytes = 0; bytes < megabytes * 2 ** 20; bytes += readingsAtOnce * valueBytes) {
    const readings: Reading[] = [];
    for (let n = 0; n < readingsAtOnce; n++) {
      offset = (offset + valueBytes + 37) % (text.length - valueBytes);
      readings.push({
        index: index++,
        tag: 'blob',
        value: text.slice(offset, offset + valueBytes),
        quality: 'good',
      });
    }
    recorder.keep(turn++ % streams, readings, index);
    if (recorder.windows.memoryBytes() > maxWaitingBytes) await recorder.durable();
  }
  await recorder.durable();
  return index;
}
