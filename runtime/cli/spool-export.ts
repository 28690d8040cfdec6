// `holdfast spool export`: readings as JSON lines.

import { exitCodes } from './exit-codes.ts';
import type { Filter } from './spool/filter.ts';
import type { OpenedSpool } from './spool/open.ts';
import { exportReadings } from './spool/readings.ts';
import { readingJson } from './spool-list.ts';
import type { Output } from './spool-output.ts';
import { counted, printable, windowJson } from './spool-text.ts';

// Of very many damaged messages, people need a few and the number.
const maxComplaints = 20;

/**
 * Writes `{stream, time | index, tag, value, quality, window, message}` a line, and what could not be read to
 * `complain`. Returns the exit code: `failed` when something that was asked for could not be read.
 */
export async function printReadings(
  spool: OpenedSpool,
  filter: Filter,
  out: Output,
  complain: (text: string) => void,
): Promise<number> {
  let readings = 0;
  let messages = 0;
  let unreadable = 0;
  for (const step of exportReadings(spool.reader, filter)) {
    if ('unreadable' in step) {
      if (++unreadable <= maxComplaints) complain(`cannot be read: ${printable(step.unreadable)}`);
      continue;
    }
    const stream = step.batchId;
    const window = windowJson(step.index, step.window);
    const message = step.message ?? null;
    for (const reading of step.readings) {
      const line = JSON.stringify({ stream, ...readingJson(step.index, reading), window, message });
      if (!(await out.line(line))) return exitCodes.ok;
      readings++;
    }
    messages++;
  }
  for (const { severity, file, reason } of spool.asIs.files.problems) {
    if (severity === 'damage') complain(`damaged: ${file}: ${reason}`);
  }
  complain(`${counted(readings, 'readings')} of ${counted(messages, 'windows')}`);
  const isWhole = unreadable === 0 && spool.asIs.files.problems.every(({ severity }) => severity === 'note');
  if (isWhole) return exitCodes.ok;
  complain('not everything could be read: see holdfast spool verify');
  return exitCodes.failed;
}
