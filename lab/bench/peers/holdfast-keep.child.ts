// Keeps readings as fast as it can, and says which it was promised are on the disk. Until it is killed.
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '../../../kernel/clock.ts';
import { childSettings } from '../harness/child.ts';
import { PolledTags, tagsPerPoll } from '../spool/readings.ts';
import { keepInSpool } from '../spool/spool-recorder.ts';

const { folder } = childSettings<{ folder: string }>();
const recorder = await keepInSpool({ folder, clock: systemClock, streams: 1, acknowledge: false });
const tags = new PolledTags();
const maxWaitingBytes = 8 * 2 ** 20;
let kept = 0;
let durable = 0;
const say = () => process.stdout.write(`${JSON.stringify({ kept, durable })}\n`);

for (let index = 1; ; ) {
  for (let polls = 0; polls < 20; polls++, index++) recorder.keep(0, tags.poll(index), index + 1);
  kept += 20 * tagsPerPoll;
  const promised = kept;
  const safe = recorder.durable().then(() => {
    durable = Math.max(durable, promised);
    say();
  });
  if (recorder.windows.memoryBytes() > maxWaitingBytes) await safe;
  else await wait(0);
}
