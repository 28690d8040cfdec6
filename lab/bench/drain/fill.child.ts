// A backlog as a site leaves it behind: closed windows that no hub has had, in a spool that was closed in good order.
import { systemClock } from '../../../kernel/clock.ts';
import { childSettings, mark } from '../harness/child.ts';
import { PolledTags, tagsPerPoll } from '../spool/readings.ts';
import { keepInSpool } from '../spool/spool-recorder.ts';

export interface FillSettings {
  readonly folder: string;
  readonly readings: number;
  readonly readingsPerMessage: number;
}

const { folder, readings, readingsPerMessage } = childSettings<FillSettings>();
const streams = 10;
const maxWaitingBytes = 4 * 2 ** 20;
const pollMs = 1000;
const recorder = await keepInSpool({
  folder,
  clock: systemClock,
  streams,
  limits: { maxReadings: readingsPerMessage },
  acknowledge: false,
});
const tags = Array.from({ length: streams }, (_, seed) => new PolledTags(seed));
const polls = readings / (streams * tagsPerPoll);
let index = systemClock.now() - polls * pollMs;
for (let poll = 0; poll < polls; poll++, index += pollMs) {
  for (let n = 0; n < streams; n++) recorder.keep(n, tags[n]!.poll(index), index + 1);
  if (recorder.windows.memoryBytes() > maxWaitingBytes) await recorder.durable();
}
await recorder.stop();
mark('end', {});
